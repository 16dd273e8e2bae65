#include "spanforge/base/json_reader.h"

#include <fstream>
#include <functional>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "spanforge/base/utf8.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

TEST(JsonReader, GivesThePiecesInOrder) {
  JsonReader in(
      R"( {"a": [1, -2, 2.5], "b": {"c": "文", "d": true}, "e": null, "f": {}, "g": []} )",
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
  EXPECT_EQ(error.place().text(), "f.json: line 2 column 2");
  EXPECT_EQ(error.reason(), "not wanted");
}

TEST(JsonReader, AValueOfAnotherKindIsAnError) {
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

// Reads keys up to the end of the outermost object; the members hold numbers.
void read_keys(const std::string& text, JsonReader::Options options = {}) {
  JsonReader in(text, "f", ErrorCode::kBadData, std::move(options));
  std::string key;
  for (in.begin_object(); in.next_key(key);) in.skip_value();
  in.finish();
}

TEST(JsonReader, RefusesARepeatedKeyHoweverItIsEscaped) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += fmt::format("\"k{}\":0,", i);
  const std::pair<const char*, const char*> twice[] = {
      {R"("a":0)", R"("a":0)"},       {R"("a":0)", R"("\u0061":0)"},
      {R"("\u0061":0)", R"("a":0)"},  {R"("\u0061":0)", R"("\u0061":0)"},
      {R"("文":0)", R"("\u6587":0)"}, {R"("a\"":0)", R"("a\u0022":0)"},
      {R"("":0)", R"("":0)"},         {R"("c":{"a":0}, "a":[{"a":0}])", R"("a":0)"},
  };
  for (const auto& [first, second] : twice) {
    for (const std::string& between : {std::string(), many}) {
      SCOPED_TRACE(fmt::format("{} {} {}", first, second, between.size()));
      const std::string begin = fmt::format("{{{},{}", first, between);
      const Error error = expect_error(ErrorCode::kBadData,
                                       [&] { read_keys(fmt::format("{}{}}}", begin, second)); });
      EXPECT_NE(error.reason().find("appears twice"), std::string::npos) << error.what();
      EXPECT_EQ(error.place().text(),
                fmt::format("f: line 1 column {}", count_code_points(begin) + 1));
      EXPECT_NO_THROW(read_keys(fmt::format("{}{}}}", begin, second), {.keys_may_repeat = true}));
    }
  }
}

TEST(JsonReader, RefusesKeysAboveTheMemoryLimit) {
  std::string text = "{";
  for (uint32_t i = 0; i < 3'000'000; ++i) {
    text += '"';
    for (uint32_t rest = i, digit = 0; digit < 4; ++digit, rest /= 64) {
      text += static_cast<char>('0' + rest % 64 + (rest % 64 < 44 ? 0 : 1));  // no backslash
    }
    text += "\":0,";
  }
  text += "\"\":0}";
  const Error error = expect_error(ErrorCode::kBadData, [&] { read_keys(text); });
  EXPECT_NE(error.reason().find("far more memory"), std::string::npos) << error.what();
  EXPECT_NO_THROW(read_keys(text, {.keys_may_repeat = true}));
}

TEST(JsonReader, AcceptsKeysThatOnlyLookAlike) {
  std::string many;
  for (int i = 0; i < 1000; ++i) many += fmt::format("\"k{}\":0,", i);
  const std::pair<const char*, const char*> others[] = {
      {R"("a":0)", R"("A":0)"},
      {R"("a":0)", R"("a ":0)"},
      {R"("a": 0)", R"("a\": 0,":0)"},  // the second equals the file's bytes after the first quote
      {R"("a\\":0)", R"("a":0)"},
      {R"("a\\":0)", R"("a\"":0)"},
      {R"("a":{"b":0})", R"("b":{"a":0})"},
      {R"("\u0061b":0)", R"("a":0)"},
  };
  for (const auto& [first, second] : others) {
    for (const std::string& between : {std::string(), many}) {
      SCOPED_TRACE(fmt::format("{} {} {}", first, second, between.size()));
      EXPECT_NO_THROW(read_keys(fmt::format("{{{},{}{}}}", first, between, second)));
      EXPECT_NO_THROW(read_keys(fmt::format("{{{},{}{}}}", second, between, first)));
    }
  }
}

TEST(JsonReader, KnowsThePathOfItsValue) {
  JsonReader in(R"({"a": [1, {"b c": [[2]]}], "\u0064": 3})", "f", ErrorCode::kBadData);
  EXPECT_EQ(in.path(), "");
  std::vector<std::string> paths, keys;
  const std::function<void()> read = [&] {
    std::string key;
    switch (in.peek()) {
      case JsonReader::Kind::kObject:
        for (in.begin_object(); in.next_key(key);) read();
        return;
      case JsonReader::Kind::kArray:
        for (in.begin_array(); in.next_item();) read();
        return;
      default:
        in.skip_value();
        paths.push_back(in.path());
        keys.push_back(in.innermost_key());
        EXPECT_EQ(in.last_text(), std::to_string(paths.size()));
    }
  };
  read();
  EXPECT_EQ(paths, (std::vector<std::string>{"a[0]", "a[1].b c[0][0]", "d"}));
  EXPECT_EQ(keys, (std::vector<std::string>{"a", "b c", "d"}));
  EXPECT_EQ(in.path(), "");
}

}  // namespace
}  // namespace spanforge
