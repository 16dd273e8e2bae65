#include "spanforge/base/json_reader.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

TEST(JsonReader, GivesThePiecesInOrder) {
  JsonReader in(R"( {"a": [1, -2, 2.5], "b": {"c": "文", "d": true}, "e": null, "f": {}, "g": []} )",
                "f.json", ErrorCode::kBadData);
  std::string key, keys;
  std::vector<JsonReader::Number> numbers;
  for (in.begin_object(); in.next_key(key);) {
    keys += key;
    if (key == "a") {
      for (in.begin_array(); in.next_item();) numbers.push_back(in.read_number());
    } else if (key == "b") {
      in.begin_object();
      ASSERT_TRUE(in.next_key(key));
      EXPECT_EQ(in.read_string(), "文");
      ASSERT_TRUE(in.next_key(key));
      EXPECT_TRUE(in.read_bool());
      EXPECT_FALSE(in.next_key(key));
    } else {
      in.skip_value();
    }
  }
  in.finish();
  EXPECT_EQ(keys, "abefg");
  EXPECT_EQ(numbers, (std::vector<JsonReader::Number>{uint64_t{1}, int64_t{-2}, 2.5}));
}

TEST(JsonReader, FailsAtTheLastKeyOrValue) {
  JsonReader in("{\"a\": 1,\n \"b\": 2}", "f.json", ErrorCode::kBadModel);
  std::string key;
  in.begin_object();
  in.next_key(key);
  in.skip_value();
  in.next_key(key);
  const Error error = expect_error(ErrorCode::kBadModel, [&] { in.fail("not wanted"); });
  EXPECT_EQ(error.place(), "f.json: line 2 column 2");
  EXPECT_EQ(error.reason(), "not wanted");
}

TEST(JsonReader, OtherKindsThanAskedForAreErrors) {
  const auto reader = [](std::string_view text) {
    return JsonReader(text, "f", ErrorCode::kBadData);
  };
  expect_error(ErrorCode::kBadData, [&] { reader("[]").begin_object(); });
  expect_error(ErrorCode::kBadData, [&] { reader("1").begin_array(); });
  expect_error(ErrorCode::kBadData, [&] { reader("1").read_string(); });
  expect_error(ErrorCode::kBadData, [&] { reader("\"1\"").read_number(); });
  expect_error(ErrorCode::kBadData, [&] { reader("1").read_bool(); });
  expect_error(ErrorCode::kBadData, [&] { reader("\"\"").read_null(); });
  for (const char* text : {"-1", "1.0", "\"1\"", "1e30", "null", "99999999999999999999"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorCode::kBadData, [&] { reader(text).read_count("a number"); });
  }
  EXPECT_EQ(reader("7").read_count("a number"), 7u);
}

TEST(JsonReader, SkippedValuesAreCheckedToo) {
  for (const char* text : {"[1,", "{\"a\":\"\\ud800\"}", "[\"\xff\"]", "[01]"}) {
    SCOPED_TRACE(text);
    expect_error(ErrorCode::kBadData,
                 [&] { JsonReader(text, "f", ErrorCode::kBadData).skip_value(); });
  }
}

TEST(JsonReader, PagesThatWereReadAreLetGoAndStillThere) {
  testing::TemporaryDirectory directory;
  {
    std::ofstream file(directory / "large.json");
    file << '[';
    for (int i = 0; i < 40; ++i) file << '"' << std::string(1 << 20, 'x') << "\",";
    file << "1]";
  }
  const MappedFile file(directory / "large.json");
  JsonReader in(file.bytes(), "large.json", ErrorCode::kBadData, &file);
  size_t items = 0;
  for (in.begin_array(); in.next_item(); ++items) in.skip_value();
  in.finish();
  EXPECT_EQ(items, 41u);
  EXPECT_EQ(file.bytes().substr(0, 3), "[\"x");
}

}  // namespace
}  // namespace spanforge
