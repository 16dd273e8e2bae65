#include "spanforge/io/json_file.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "spanforge/base/json_reader.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

TEST(JsonFile, ErrorsNameTheFile) {
  TemporaryDirectory directory;
  std::ofstream(directory / "bad.json") << "[";
  const Error error = expect_error(
      ErrorCode::kBadModel, [&] { parse_json_file(directory / "bad.json", ErrorCode::kBadModel); });
  EXPECT_NE(error.place().text().find("bad.json: line 1"), std::string::npos);
  expect_error(ErrorCode::kIo,
               [&] { parse_json_file(directory / "none.json", ErrorCode::kBadModel); });
  expect_error(ErrorCode::kIo, [&] { parse_json_file(directory.path(), ErrorCode::kBadModel); });
}

// So a file larger than memory can be read.
TEST(JsonFile, FreesThePagesThatWereRead) {
  TemporaryDirectory directory;
  {
    std::ofstream file(directory / "large.json");
    file << '[';
    for (int i = 0; i < 40; ++i) file << '"' << std::string(1 << 20, 'x') << "\",";
    file << "1]";
  }
  const MappedFile file(directory / "large.json");
  size_t reports = 0;
  const auto release = [&](const char* at) {
    file.release_before(static_cast<size_t>(at - file.bytes().data()));
    ++reports;
  };
  JsonReader in(file.bytes(), "large.json", ErrorCode::kBadData, {.on_read = release});
  size_t items = 0;
  for (in.begin_array(); in.next_item(); ++items) in.skip_value();
  in.finish();
  EXPECT_EQ(items, 41u);
  EXPECT_GE(reports, 8u);
  EXPECT_EQ(file.bytes().substr(0, 3), "[\"x");
}

}  // namespace
}  // namespace spanforge
