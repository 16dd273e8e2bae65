#include "spanforge/data/unread_kind.h"

#include <cstdio>
#include <fstream>

#include "spanforge/data/dataset.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using namespace std::string_literals;
using testing::expect_error;

// Each file gives one line that says what it is and what to do.
TEST(UnreadKind, IsNamedByTheReader) {
  struct Row {
    std::string bytes, kind, advice;
  };
  const std::vector<Row> rows = {
      {"PAR1\x15\0\0PAR1"s, "a Parquet file", "to_json"},
      {"ARROW1\0\0abc"s, "an Arrow file", "to_json"},
      {"\xFF\xFF\xFF\xFF\x10\0\0\0"s, "an Arrow stream", "from_file"},
      {"SQLite format 3\0xx"s, "an SQLite database", "sqlite3"},
      {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1xx"s, "an old Excel", "CSV"},
      {"\x1F\x8B\x08\0x"s, "a gzip archive", "gunzip"},
      {"\xFD"
       "7zXZ\0x"s,
       "an xz archive", "xz -d"},
      {"\x28\xB5\x2F\xFDx"s, "a zstd archive", "zstd -d"},
      {"BZh91AY"s, "a bzip2 archive", "bzip2"},
      {"PK\x03\x04\x14\0\x06\0[Content_Types].xml xl/workbook.xml"s, "an Excel file (.xlsx)",
       "CSV"},
      {"PK\x03\x04\x14\0mimetypeapplication/vnd.oasis.opendocument.spreadsheetPK"s,
       "an OpenDocument", "CSV"},
      {"PK\x03\x04\x14\0word/document.xml"s, "a Word document", "JSON"},
      {"PK\x03\x04\x14\0train.json"s, "a zip archive", "unzip"},
      {"\x80\x04\x95\x10\0\0\0\0\0\0\0]."s, "a Python pickle", "JSON lines"},
      {"%PDF-1.7\n"s, "a PDF", "JSON"},
      {"<!DOCTYPE html><html></html>"s, "a web page", "download"},
      {"  <HTML>"s, "a web page", "download"},
      {"<?xml version=\"1.0\"?><a/>"s, "XML", "JSON"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"s, "a Git LFS pointer",
       "git lfs pull"},
      {"[{'id': 'a', 'question': 'q'}]"s, "Python's print", "json.dump"},
      {"{'data': []}"s, "Python's print", "json.dump"},
      {R"({"question": {"0": "q"}, "context": {"0": "c"}})", "columns, not rows", "records"},
      {R"({"id": ["a"], "question": ["q"], "context": ["c"]})", "columns, not rows", "to_json"},
      {"---\n- question: q\n"s, "YAML", "JSON"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.kind);
    const Error error =
        expect_error(ErrorCode::kBadData, [&] { read_dataset_text(row.bytes, "f"); });
    EXPECT_EQ(error.place().text(), "f");
    EXPECT_NE(error.reason().find(row.kind), std::string::npos) << error.reason();
    EXPECT_NE(error.reason().find(row.advice), std::string::npos) << error.reason();
  }
}

TEST(UnreadKind, IsNotOfFilesThatAreRead) {
  for (const std::string text :
       {"{\"data\": []}", "[]", "question,context\n", "ORDER,context\n", "version,question\n"}) {
    SCOPED_TRACE(text);
    EXPECT_EQ(unread_kind(text), std::nullopt);
    EXPECT_EQ(unread_text_kind(text), std::nullopt);
  }
}

// A text may hold "ustar" at the same place as a tar archive's header.
TEST(UnreadKind, DistinguishesATarArchiveFromATextWithItsWord) {
  const auto at = [](size_t place, std::string bytes, const std::string& word) {
    return bytes.replace(place, word.size(), word);
  };
  for (const std::string& word : {"ustar\0"s + "00"s, "ustar  \0"s}) {  // POSIX, GNU
    const std::string header = at(257, at(0, std::string(512, '\0'), "train.json"), word);
    uint32_t sum = 8 * ' ';
    for (const char c : header) sum += static_cast<uint8_t>(c);
    char digits[8] = {};
    std::snprintf(digits, sizeof digits, "%06o", sum);
    const std::string archive = at(148, header, digits + "\0 "s) + "{}";
    EXPECT_NE(unread_kind(archive).value_or("").find("a tar archive"), std::string::npos);
    EXPECT_EQ(unread_kind(at(0, archive, "T")), std::nullopt) << "the sum is another";
  }
  for (const size_t size : {300, 512, 600}) {
    const std::string text = at(257, std::string(size, ' '), "ustar");
    EXPECT_EQ(unread_kind(text), std::nullopt) << size;
  }
}

TEST(UnreadKind, NamesTheDirectoriesOfDatasets) {
  const testing::TemporaryDirectory directory;
  refuse_unread_directory(directory.path());
  std::ofstream(directory / "dataset_dict.json") << "{}";
  const Error error = expect_error(ErrorCode::kBadData, [&] { read_dataset(directory.path()); });
  EXPECT_NE(error.reason().find("load_from_disk"), std::string::npos) << error.reason();
}

}  // namespace
}  // namespace spanforge
