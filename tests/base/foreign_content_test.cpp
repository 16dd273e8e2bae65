#include "spanforge/base/foreign_content.h"

#include <gtest/gtest.h>

#include "spanforge/base/json.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

constexpr const char* kPointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";

TEST(ForeignContent, IsRecognizedByTheFirstBytes) {
  struct Row {
    std::string head;
    std::optional<ForeignContent> content;
  };
  const Row rows[] = {{kPointer, ForeignContent::kLfsPointer},
                      {std::string("\n ") + kPointer, ForeignContent::kLfsPointer},
                      {"<!DOCTYPE html><html>", ForeignContent::kWebPage},
                      {"<!doctype HTML>", ForeignContent::kWebPage},
                      {"\xEF\xBB\xBF \r\n<HTML lang=\"en\">", ForeignContent::kWebPage},
                      {"", std::nullopt},
                      {" \n", std::nullopt},
                      {"version", std::nullopt},
                      {"version 2", std::nullopt},
                      {"<htm", std::nullopt},
                      {"{\"a\": \"<html>\"}", std::nullopt}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.head);
    EXPECT_EQ(find_foreign_content(row.head), row.content);
  }
}

TEST(ForeignContent, ErrorsNameItAndSayWhatToDo) {
  const Error pointer = expect_error(ErrorCode::kBadModel, [] {
    refuse_foreign_content(kPointer, "m/vocab.txt", ErrorCode::kBadModel);
  });
  EXPECT_EQ(pointer.file(), "m/vocab.txt");
  EXPECT_NE(pointer.reason().find("git lfs pull"), std::string::npos) << pointer.what();
  const Error page = expect_error(
      ErrorCode::kBadData, [] { refuse_foreign_content("<html>", "f", ErrorCode::kBadData); });
  EXPECT_NE(page.reason().find("is a web page"), std::string::npos) << page.what();
  refuse_foreign_content("[PAD]\n", "f", ErrorCode::kBadData);
}

TEST(ForeignContent, IsNamedInPlaceOfJson) {
  for (const std::string& text : {std::string(kPointer), std::string(" <!DOCTYPE html>")}) {
    const Error error = expect_error(ErrorCode::kBadModel,
                                     [&] { parse_json(text, "c.json", ErrorCode::kBadModel); });
    EXPECT_EQ(error.file(), "c.json");
    EXPECT_NE(error.reason().find("download the file again"), std::string::npos) << error.what();
  }
  // Inside a text it is an ordinary syntax error.
  const Error error = expect_error(ErrorCode::kBadModel,
                                   [] { parse_json("[<html>]", "c.json", ErrorCode::kBadModel); });
  EXPECT_EQ(error.place().text(), "c.json: line 1 column 2");
}

}  // namespace
}  // namespace spanforge
