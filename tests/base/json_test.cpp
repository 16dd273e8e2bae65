#include "spanforge/base/json.h"

#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "spanforge/base/utf8.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

Json parse(std::string_view text) { return parse_json(text, "f.json", ErrorCode::kBadData); }

TEST(ParseJson, ReadsEveryKindOfValue) {
  const Json value = parse(R"( {"s": "a\n\u00e9\ud83d\ude42", "i": -3, "u": 18446744073709551615,
    "d": 1.5e-3, "t": true, "f": false, "n": null, "l": [1, [], {}], "e": ""} )");
  EXPECT_EQ(value["s"], "a\né🙂");
  EXPECT_EQ(value["i"], -3);
  EXPECT_EQ(value["u"].get<uint64_t>(), 18446744073709551615ull);
  EXPECT_EQ(value["d"], 1.5e-3);
  EXPECT_EQ(value["t"], true);
  EXPECT_TRUE(value["n"].is_null());
  EXPECT_EQ(value["l"].size(), 3u);
  EXPECT_EQ(value["e"], "");
}

TEST(ParseJson, KeepsTheOrderOfKeys) {
  const Json object = parse(R"({"z":1,"a":2,"m":3})");
  std::string keys;
  for (const auto& [key, value] : object.items()) keys += key;
  EXPECT_EQ(keys, "zam");
}

TEST(ParseJson, NumbersKeepTheirKind) {
  EXPECT_TRUE(parse("1").is_number_unsigned());
  EXPECT_TRUE(parse("-1").is_number_integer());
  EXPECT_TRUE(parse("1.0").is_number_float());
  EXPECT_TRUE(parse("1e2").is_number_float());
  EXPECT_TRUE(parse("100000000000000000000").is_number_float());
  EXPECT_EQ(parse("-9223372036854775808").get<int64_t>(), INT64_MIN);
  EXPECT_EQ(parse("1e-999"), 0.0);
  EXPECT_EQ(parse("0.1").get<double>(), 0.1);
}

struct BadJson {
  const char* text;
  const char* at;      // a part of the place
  const char* reason;  // a part of the reason
};

TEST(ParseJson, CountsLinesFromTheLineTheTextIsIn) {
  const Error error = expect_error(ErrorCode::kBadData, [] {
    parse_json_line("{\"a\" 1}", "f.jsonl", 17, ErrorCode::kBadData);
  });
  EXPECT_EQ(error.place().text(), "f.jsonl: line 17 column 6");
}

TEST(ParseJson, RefusesInvalidJsonAndNamesThePlace) {
  const BadJson rows[] = {
      {"", "line 1 column 1", "ends where"},
      {"{", "line 1 column 2", "ends where"},
      {"[1,\n2,\n]", "line 3 column 1", "']' found where a JSON value"},
      {"{\"a\":1,}", "line 1 column 8", "a key in quotes"},
      {"{\"a\" 1}", "line 1 column 6", "':'"},
      {"{a:1}", "line 1 column 2", "a key in quotes"},
      {"[1 2]", "line 1 column 4", "',' or ']'"},
      {"[1] x", "line 1 column 5", "after the end"},
      {"\"文\x01\"", "line 1 column 3", "control character"},
      {"\"abc", "line 1 column 5", "inside a string"},
      {"\"\\x\"", "line 1 column 2", "unknown escape"},
      {"\"\\u12\"", "line 1 column 2", "four hexadecimal"},
      {"\"\\u+123\"", "line 1 column 2", "four hexadecimal"},
      {"\"\\ud800\"", "line 1 column 2", "lone surrogate"},
      {"\"\\ud800\\u0041\"", "line 1 column 2", "lone surrogate"},
      {"\"\\udc00\"", "line 1 column 2", "lone surrogate"},
      {"\"a\xff\"", "line 1 column 3", "invalid UTF-8"},
      {"\"\xed\xa0\x80\"", "line 1 column 2", "invalid UTF-8"},
      {"{\"a\":1,\"b\":2,\"a\":3}", "line 1 column 14", "\"a\" appears twice"},
      {"01", "line 1 column 1", "leading zero"},
      {"1.", "line 1 column 1", "after its point"},
      {".5", "line 1 column 1", "'.' found"},
      {"1e", "line 1 column 1", "exponent"},
      {"-", "line 1 column 1", "'-' found"},
      {"+1", "line 1 column 1", "'+' found"},
      {"1e999", "line 1 column 1", "too large"},
      {"NaN", "line 1 column 1", "'N' found"},
      {"Infinity", "line 1 column 1", "'I' found"},
      {"tru", "line 1 column 1", "'t' found"},
      {"'a'", "line 1 column 1", "found where a JSON value"},
  };
  for (const BadJson& row : rows) {
    SCOPED_TRACE(row.text);
    const Error error = expect_error(ErrorCode::kBadData, [&] { parse(row.text); });
    EXPECT_EQ(error.place().text(), std::string("f.json: ") + row.at);
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.reason();
  }
}

TEST(ParseJson, FindsAKeyTwiceInALargeObject) {
  std::string text = "{";
  for (int i = 0; i < 1000; ++i) text += "\"k" + std::to_string(i) + "\":0,";
  expect_error(ErrorCode::kBadData, [&] { parse(text + "\"k7\":1}"); });
  EXPECT_EQ(parse(text + "\"k1000\":1}").size(), 1001u);
}

TEST(ParseJson, LimitsNesting) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_NO_THROW(parse(nested(64)));
  const Error error = expect_error(ErrorCode::kBadData, [&] { parse(nested(65)); });
  EXPECT_NE(error.reason().find("64"), std::string::npos);
  expect_error(ErrorCode::kBadData, [&] { parse(std::string(100'000, '[')); });
}

TEST(ParseJson, AByteOrderMarkIsSkipped) { EXPECT_EQ(parse("\xEF\xBB\xBF[1]")[0], 1); }

// In every style.
TEST(DumpJson, ReadsBackAsTheSameValue) {
  CounterStream random(testing::test_seed());
  const std::function<Json(int)> make = [&](int depth) -> Json {
    switch (random.next_below(depth > 4 ? 5 : 7)) {
      case 0: return nullptr;
      case 1: return random.next_below(2) == 0;
      case 2: return random.next_u32();
      case 3: return -static_cast<int64_t>(random.next_u32());
      case 4: {
        std::u32string text;
        for (uint64_t i = random.next_below(8); i > 0; --i) {
          const auto c = static_cast<char32_t>(random.next_below(0xD800));
          text += c;
        }
        return encode_utf8(text);
      }
      case 5: {
        Json list = Json::array();
        for (uint64_t i = random.next_below(5); i > 0; --i) list.push_back(make(depth + 1));
        return list;
      }
      default: {
        Json object = Json::object();
        for (uint64_t i = random.next_below(5); i > 0; --i) {
          object["k" + std::to_string(random.next_below(100))] = make(depth + 1);
        }
        return object;
      }
    }
  };
  for (int i = 0; i < 500; ++i) {
    const Json value = make(0);
    for (const PythonJsonStyle& style : {PythonJsonStyle{}, PythonJsonStyle{.indent = 2},
                                         PythonJsonStyle{.ensure_ascii = false}}) {
      ASSERT_EQ(parse(dump_python_json(value, style)), value);
    }
  }
}

TEST(DumpJson, FollowsPython) {
  const Json value = parse(R"({"b": [1, 2.5, "é\u007f"], "a": {}, "c": []})");
  EXPECT_EQ(dump_python_json(value), R"({"b": [1, 2.5, "\u00e9\u007f"], "a": {}, "c": []})");
  EXPECT_EQ(dump_python_json(value, {.indent = 2, .sort_keys = true, .ensure_ascii = false}),
            "{\n  \"a\": {},\n  \"b\": [\n    1,\n    2.5,\n    \"é\x7f\"\n  ],\n  \"c\": []\n}");
  EXPECT_EQ(dump_python_json(Json(std::nan(""))), "NaN");
  EXPECT_EQ(dump_python_json(Json(-INFINITY)), "-Infinity");
  expect_error(ErrorCode::kBadData, [] { dump_python_json(Json("\xff")); });
}

TEST(DumpJson, MakesAListWhileWritingIt) {
  const Json list = {{{"step", 1}, {"loss", 0.5}}, "text", Json::array()};
  const Json whole = {{"b", list}, {"a", {{"b", {1, 2}}}}};
  Json without = whole;
  without["b"] = nullptr;
  const auto value = [&](size_t i) { return list[i]; };
  for (const PythonJsonStyle style : {PythonJsonStyle{}, {.indent = 2}, {.sort_keys = true}}) {
    EXPECT_EQ(dump_python_json(without, style, {"b", list.size(), value}),
              dump_python_json(whole, style));
  }
  EXPECT_EQ(dump_python_json({{"b", 7}}, {}, {"b", 0, value}), R"({"b": []})");
}

TEST(PythonRepr, LaysFloatsOutAsPython) {
  const std::pair<double, const char*> rows[] = {{0.0, "0.0"},
                                                 {-0.0, "-0.0"},
                                                 {1.0, "1.0"},
                                                 {0.1, "0.1"},
                                                 {1e-4, "0.0001"},
                                                 {1e-5, "1e-05"},
                                                 {1.5e-7, "1.5e-07"},
                                                 {1e15, "1000000000000000.0"},
                                                 {1e16, "1e+16"},
                                                 {123456.75, "123456.75"},
                                                 {1e100, "1e+100"},
                                                 {5e-324, "5e-324"},
                                                 {3.472222222222222e-05, "3.472222222222222e-05"},
                                                 {INFINITY, "inf"},
                                                 {-INFINITY, "-inf"},
                                                 {std::nan(""), "nan"}};
  for (const auto& [value, text] : rows) EXPECT_EQ(python_repr(value), text);
}

TEST(PythonRepr, ReadsBackToTheSameDouble) {
  CounterStream random(testing::test_seed());
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t bits = uint64_t{random.next_u32()} << 32 | random.next_u32();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(python_repr(value).c_str(), nullptr), value);
  }
}

TEST(PythonRepr, QuotesTextsAsPython) {
  EXPECT_EQ(python_repr(std::string_view("it")), "'it'");
  EXPECT_EQ(python_repr(std::string_view("it's")), "\"it's\"");
  EXPECT_EQ(python_repr(std::string_view("'\"")), "'\\'\"'");
  EXPECT_EQ(python_repr(std::string_view("文\n\x7f\u200b\\")), "'文\\n\\x7f\\u200b\\\\'");
}

TEST(PythonStr, PrintsDictsAsPython) {
  EXPECT_EQ(python_str(parse(R"({"loss": 0.1, "ok": true, "none": null, "l": ["a", 1]})")),
            "{'loss': 0.1, 'ok': True, 'none': None, 'l': ['a', 1]}");
  EXPECT_EQ(python_str(Json("plain")), "plain");
}

}  // namespace
}  // namespace spanforge
