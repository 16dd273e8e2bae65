#include "spanforge/base/error.h"

#include <set>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

constexpr ErrorCode kAll[] = {ErrorCode::kUsage,     ErrorCode::kBadData,     ErrorCode::kBadModel,
                              ErrorCode::kNonFinite, ErrorCode::kNetwork,     ErrorCode::kCacheMiss,
                              ErrorCode::kIo,        ErrorCode::kInterrupted, ErrorCode::kPeerLost,
                              ErrorCode::kInternal};

TEST(Error, EveryCodeHasAnExitStatusAndAName) {
  std::set<std::string_view> names;
  for (ErrorCode code : kAll) {
    EXPECT_GE(exit_code(code), 2);
    EXPECT_TRUE(names.insert(error_code_name(code)).second);
  }
  EXPECT_EQ(exit_code(ErrorCode::kUsage), 2);
  EXPECT_EQ(exit_code(ErrorCode::kBadData), 3);
  EXPECT_EQ(exit_code(ErrorCode::kBadModel), 3);
  EXPECT_EQ(exit_code(ErrorCode::kNetwork), 4);
  EXPECT_EQ(exit_code(ErrorCode::kCacheMiss), 4);
  EXPECT_EQ(exit_code(ErrorCode::kIo), 74);
  EXPECT_EQ(exit_code(ErrorCode::kPeerLost), 75);
}

TEST(Error, IsAlwaysOneLine) {
  const Error error(ErrorCode::kBadData, {.file = "a\nb.json"}, "went\r\nwrong\t\x1b[31m");
  EXPECT_STREQ(error.what(), "a\\nb.json: went\\r\\nwrong\\t\\x1b[31m");
  EXPECT_EQ(error.file(), "a\nb.json");
  // Unicode's other line ends, and invalid UTF-8.
  const Error wide(ErrorCode::kBadData, {.file = "f"}, "a\u0085b\u2028c\u2029d\u2026");
  EXPECT_STREQ(wide.what(), "f: a\\u0085b\\u2028c\\u2029d\u2026");
  const Error bytes(ErrorCode::kBadData, {.file = "f"}, "\xff\xc3\xa9\xc3\xe2\x80");
  EXPECT_STREQ(bytes.what(), "f: \\xff\u00e9\\xc3\\xe2\\x80");
}

TEST(Error, PrintsThePartsOfThePlaceInOneOrder) {
  struct Row {
    ErrorPlace place;
    std::string said;
  };
  for (const Row& row : std::vector<Row>{
           {{.file = "a.json"}, "a.json: wrong"},
           {{.file = "a.json", .where = "line 3"}, "a.json: line 3: wrong"},
           {{.file = "a.toml", .where = "line 3", .parameter = "top_k"},
            "a.toml: line 3: top_k: wrong"},
           {{.parameter = "top_k"}, "top_k: wrong"},
           {{.where = "question 2", .parameter = "question"}, "question: question 2: wrong"},
           {{.where = "memory"}, "memory: wrong"}}) {
    SCOPED_TRACE(row.said);
    const Error error(ErrorCode::kUsage, row.place, "wrong");
    EXPECT_EQ(error.what(), row.said);
    EXPECT_EQ(error.file(), row.place.file);
    EXPECT_EQ(error.where(), row.place.where);
    EXPECT_EQ(error.parameter(), row.place.parameter);
    EXPECT_EQ(error.reason(), "wrong");
  }
}

TEST(Error, NamesAPositionInsideAnother) {
  const ErrorPlace list{.file = "a.json", .where = "data[2]"};
  EXPECT_EQ(list.inside("answers").text(), "a.json: data[2]: answers");
  EXPECT_EQ(list.inside("").text(), "a.json: data[2]");
  EXPECT_EQ(ErrorPlace{.file = "a.json"}.inside("line 3").text(), "a.json: line 3");
}

TEST(Error, ChangesOneFieldAndKeepsTheOthers) {
  const Error error(ErrorCode::kBadData, {"f", "line 3", "top_k"}, "wrong");
  EXPECT_STREQ(error.with_file("g").what(), "g: line 3: top_k: wrong");
  EXPECT_STREQ(error.with_reason("late").what(), "f: line 3: top_k: late");
  EXPECT_STREQ(error.with_place({.where = "text 1"}).what(), "text 1: wrong");
  EXPECT_EQ(error.with_place({.where = "text 1"}).with_reason("late").with_file("g").code(),
            ErrorCode::kBadData);
}

TEST(QuoteForMessage, TruncatesBetweenCodePoints) {
  EXPECT_EQ(quote_for_message("short"), "short");
  EXPECT_EQ(quote_for_message("文文文", 4), "文...");
  EXPECT_EQ(quote_for_message("文文文", 6), "文文...");
  EXPECT_EQ(quote_for_message("a\nb"), "a\\nb");
  EXPECT_EQ(quote_for_message("a\x80\n"), "a\\x80\\n");
}

}  // namespace
}  // namespace spanforge
