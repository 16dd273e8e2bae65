// Json values: construction, access, comparison.
#include <cmath>
#include <limits>
#include <map>

#include "spanforge/base/json.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

TEST(JsonValue, HasTheTypeOfItsArgument) {
  struct Row {
    Json value;
    Json::Type type;
    std::string dump;
  };
  const Row rows[] = {
      {Json(), Json::Type::kNull, "null"},
      {nullptr, Json::Type::kNull, "null"},
      {true, Json::Type::kBool, "true"},
      {-7, Json::Type::kInteger, "-7"},
      {INT64_MIN, Json::Type::kInteger, "-9223372036854775808"},
      {7u, Json::Type::kUnsigned, "7"},
      {UINT64_MAX, Json::Type::kUnsigned, "18446744073709551615"},
      {0.1, Json::Type::kFloat, "0.1"},
      {1e16, Json::Type::kFloat, "1e+16"},
      {std::nan(""), Json::Type::kFloat, "null"},
      {"text", Json::Type::kString, "\"text\""},
      {std::string("a\"\n\x01\x7F字"), Json::Type::kString, "\"a\\\"\\n\\u0001\x7F字\""},
      {std::string_view("view"), Json::Type::kString, "\"view\""},
      {Json::array(), Json::Type::kArray, "[]"},
      {Json::array({1, "two", nullptr}), Json::Type::kArray, "[1,\"two\",null]"},
      {std::vector<std::string>{"a", "b"}, Json::Type::kArray, "[\"a\",\"b\"]"},
      {std::map<std::string, int>{{"a", 1}, {"b", 2}}, Json::Type::kObject, "{\"a\":1,\"b\":2}"},
      {Json::object(), Json::Type::kObject, "{}"},
      {{{"z", 1}, {"a", {1, 2}}}, Json::Type::kObject, "{\"z\":1,\"a\":[1,2]}"},
      {{1, 2}, Json::Type::kArray, "[1,2]"},
      {{{"a", 1}, {"b", 2}, 3}, Json::Type::kArray, "[[\"a\",1],[\"b\",2],3]"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.dump);
    EXPECT_EQ(row.value.type(), row.type);
    EXPECT_EQ(row.value.dump(), row.dump);
    if (row.value.is_number_float() && std::isnan(row.value.get<double>())) continue;
    EXPECT_EQ(parse_json(row.value.dump(), "dump", ErrorCode::kBadData), row.value);
  }
}

TEST(JsonValue, CopiesAreDeepAndMovesLeaveNull) {
  Json made = {{"list", {1, {{"inner", "text"}}}}, {"number", 2.5}};
  Json copy = made;
  copy["list"][1]["inner"] = "other";
  EXPECT_EQ(made["list"][1]["inner"], "text");
  EXPECT_NE(copy, made);
  const Json* inside = &made["list"];
  Json moved = std::move(made);
  EXPECT_TRUE(made.is_null());
  EXPECT_EQ(&moved["list"], inside) << "a move copies nothing";
  moved = moved["list"][1];  // a part of itself
  EXPECT_EQ(moved.dump(), "{\"inner\":\"text\"}");
}

TEST(JsonValue, BracedListsMoveTheirElements) {
  Json part = Json::array({std::string(100, 'x')});
  const Json* text = &part[0];
  const Json whole = {{"part", std::move(part)}};
  EXPECT_EQ(&whole["part"][0], text);
}

TEST(JsonValue, NumbersAreEqualByValue) {
  EXPECT_EQ(Json(1), Json(1u));
  EXPECT_EQ(Json(1u), Json(1));
  EXPECT_EQ(Json(1.0), Json(1));
  EXPECT_NE(Json(-1), Json(UINT64_MAX));
  EXPECT_NE(Json(UINT64_MAX), Json(-1));
  EXPECT_NE(Json(1.5), Json(1));
  EXPECT_NE(Json(1), Json("1"));
  EXPECT_NE(Json(1), Json(true));
  EXPECT_EQ(Json({{"a", 1}, {"b", 2u}}), Json({{"a", 1u}, {"b", 2.0}}));
  EXPECT_NE(Json({{"a", 1}, {"b", 2}}), Json({{"b", 2}, {"a", 1}})) << "order is part of it";
}

template <class T>
void expect_no(const Json& value) {
  EXPECT_THROW(value.get<T>(), Json::Mismatch) << value.dump();
}

TEST(JsonValue, NumbersFitOrAreRefused) {
  EXPECT_EQ(Json(UINT64_MAX).get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(Json(INT64_MIN).get<int64_t>(), INT64_MIN);
  EXPECT_EQ(Json(3.0).get<int32_t>(), 3);
  EXPECT_EQ(Json(-0.0).get<uint8_t>(), 0);
  EXPECT_EQ(Json(255).get<uint8_t>(), 255);
  EXPECT_EQ(Json(7).get<float>(), 7.0f);
  expect_no<int64_t>(UINT64_MAX);
  expect_no<int64_t>(9223372036854775808.0);
  expect_no<uint64_t>(18446744073709551616.0);
  expect_no<uint64_t>(-1);
  expect_no<uint8_t>(256);
  expect_no<int32_t>(int64_t{1} << 31);
  expect_no<int32_t>(1.5);
  expect_no<int32_t>(std::numeric_limits<double>::infinity());
  expect_no<int32_t>(std::nan(""));
  expect_no<int32_t>(true);
  expect_no<bool>(1);
  expect_no<double>("1");
  expect_no<std::string>(1);
  expect_no<std::vector<int>>({1, "two"});
}

TEST(JsonValue, MembersKeepTheirOrder) {
  Json object;
  object["z"] = 1;
  object["a"] = 2;
  object["z"] = 3;
  append_member(object, "m", 4);
  EXPECT_EQ(object.dump(), "{\"z\":3,\"a\":2,\"m\":4}");
  object.update({{"a", 5}, {"n", 6}});
  object.erase("z");
  EXPECT_EQ(object.dump(), "{\"a\":5,\"m\":4,\"n\":6}");
  std::string keys;
  for (const auto& [key, value] : object.items()) keys += key + value.dump();
  EXPECT_EQ(keys, "a5m4n6");
}

TEST(JsonValue, AMissingKeyIsNullptrOrThrows) {
  const Json object = {{"a", 1}};
  EXPECT_EQ(object.find("b"), nullptr);
  EXPECT_EQ(Json(7).find("a"), nullptr);
  EXPECT_FALSE(object.contains("b"));
  EXPECT_THROW(object.at("b"), Json::Mismatch);
  EXPECT_THROW(object["b"], Json::Mismatch);
  EXPECT_THROW(Json(7).at("a"), Json::Mismatch);
  EXPECT_THROW(Json(7)["a"], Json::Mismatch);
  EXPECT_THROW(Json::array({1}).at(1), Json::Mismatch);
  EXPECT_THROW(Json::array().back(), Json::Mismatch);
  EXPECT_EQ(object.value("a", 5), 1);
  EXPECT_EQ(object.value("b", 5), 5);
  EXPECT_THROW(object.value("a", std::string()), Json::Mismatch);
  EXPECT_EQ(Json().size(), 0u);
  EXPECT_EQ(Json().begin(), Json().end());
}

TEST(JsonValue, RefusesToWriteInvalidUtf8) {
  expect_error(ErrorCode::kBadData, [] { Json("a\xFF").dump(); });
}

}  // namespace
}  // namespace spanforge
