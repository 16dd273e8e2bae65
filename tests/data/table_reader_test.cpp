#include "spanforge/data/table_reader.h"

#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows cells_of(std::string_view text, TableShape shape = {}) {
  TableReader reader(text, shape);
  Rows rows;
  TableRow row;
  while (reader.next(row)) rows.push_back(row.cells);
  return rows;
}

TEST(TableReader, ReadsQuotesLineEndsAndSeparators) {
  struct Case {
    std::string_view text;
    Rows rows;
  };
  const std::vector<Case> cases = {{"a,b\n1,2\n", {{"a", "b"}, {"1", "2"}}},
                                   {"a,b\r\n1,2", {{"a", "b"}, {"1", "2"}}},
                                   {"a,b\r1,2\r", {{"a", "b"}, {"1", "2"}}},
                                   {"\"a,1\",\"b\"\"q\"\"\"\n", {{"a,1", "b\"q\""}}},
                                   {"\"one\r\ntwo\rthree\n\",x\n", {{"one\r\ntwo\rthree\n", "x"}}},
                                   {"a\"b\",\"c\"d\n", {{"a\"b\"", "cd"}}},
                                   {"\n\n,\n1\n", {{"1"}}},
                                   {"1,,\n", {{"1", "", ""}}},
                                   {"\"\",x", {{"", "x"}}},
                                   {" \"a\", b\n", {{" \"a\"", " b"}}},
                                   {"", {}}};
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string(one.text));
    EXPECT_EQ(cells_of(one.text), one.rows);
  }
}

TEST(TableReader, KnowsTheLineOfEachRow) {
  const std::string_view text = "h,h\n\"a\nb\r\nc\",1\r\n\r\nx,\"\r\"\r\nlast,1";
  TableReader reader(text, {});
  TableRow row;
  std::vector<int64_t> lines;
  while (reader.next(row)) lines.push_back(row.line);
  EXPECT_EQ(lines, (std::vector<int64_t>{1, 2, 6, 8}));
}

TEST(TableReader, ReportsAQuoteThatNeverCloses) {
  TableReader reader("a,b\n1,\"open\n2,3\n", {});
  TableRow row;
  ASSERT_TRUE(reader.next(row));
  EXPECT_FALSE(row.open_quote);
  ASSERT_TRUE(reader.next(row));
  EXPECT_TRUE(row.open_quote);
  EXPECT_EQ(row.line, 2);
}

// Random cells, written by RFC 4180, are read back.
TEST(TableReader, ReadsBackWhatRfc4180Writes) {
  CounterStream random(testing::test_seed());
  constexpr std::string_view kPieces[] = {"a", "\"", ",", "\n", "\r", "\r\n",
                                          "é", "😀",  " ", ";",  "\t", "\"\""};
  for (int round = 0; round < 300; ++round) {
    Rows rows;
    std::string text;
    const std::string_view end = round % 3 == 0 ? "\n" : round % 3 == 1 ? "\r\n" : "\r";
    for (uint64_t r = 0, n = 1 + random.next_below(4); r < n; ++r) {
      rows.emplace_back();
      for (uint64_t c = 0; c < 3; ++c) {
        std::string cell = c == 0 ? "k" : "";
        for (uint64_t p = random.next_below(5); p > 0; --p)
          cell += kPieces[random.next_below(std::size(kPieces))];
        text += c == 0 ? "\"" : ",\"";
        for (const char ch : cell) ch == '"' ? text += "\"\"" : text += ch;
        text += '"';
        rows.back().push_back(std::move(cell));
      }
      text += end;
    }
    SCOPED_TRACE(text);
    EXPECT_EQ(cells_of(text), rows);
  }
}

TEST(FindShape, FindsTheSeparator) {
  struct Case {
    std::string_view text;
    std::string file;
    char separator;
  };
  const std::vector<Case> cases = {{"question,context\n", "a.csv", ','},
                                   {"question;context;answer\n", "a.csv", ';'},
                                   {"question\tcontext\n", "a.txt", '\t'},
                                   {"question;a,b,c;context\n", "a.csv", ';'},
                                   {"sep=;\r\nx,y;z\r\n", "a.csv", ';'},
                                   {"sep=|\nx|y\n", "a.csv", '|'},
                                   {"x,y;z\n", "a.csv", ','},
                                   {"x,y\tz\n", "a.tsv", '\t'},
                                   {"\"question\";\"context\"\n", "a.csv", ';'}};
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string(one.text));
    EXPECT_EQ(find_shape(one.text, one.file).separator, one.separator);
  }
  EXPECT_EQ(header_of("sep=;\r\n a ;b;\r\n", find_shape("sep=;\r\n a ;b;\r\n", "x")),
            (std::vector<std::string>{"a", "b"}));
}

TEST(FindShape, QuotesThatEncloseNoCellOfATsvAreCharacters) {
  const std::string_view plain = "question\tcontext\n\"Who\" sings?\t\"Ann\n";
  EXPECT_FALSE(find_shape(plain, "a.tsv").quotes);
  EXPECT_EQ(cells_of(plain, find_shape(plain, "a.tsv"))[1],
            (std::vector<std::string>{"\"Who\" sings?", "\"Ann"}));
  const std::string_view quoted = "question\tcontext\n\"a\tb\"\t\"c\"\"\nd\"\n";
  EXPECT_TRUE(find_shape(quoted, "a.tsv").quotes);
  EXPECT_EQ(cells_of(quoted, find_shape(quoted, "a.tsv"))[1],
            (std::vector<std::string>{"a\tb", "c\"\nd"}));
}

}  // namespace
}  // namespace spanforge
