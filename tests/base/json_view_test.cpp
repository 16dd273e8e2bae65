#include "spanforge/base/json_view.h"

#include <functional>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

Json document(std::string_view text) { return parse_json(text, "f", ErrorCode::kInternal); }

TEST(JsonView, GivesValuesOfTheTypeAskedFor) {
  const Json json =
      document(R"({"text": "a", "yes": true, "seven": 7, "least": -9223372036854775808,
    "most": 18446744073709551615,
    "half": 0.5, "null": null, "list": ["x", ["y"]], "inner": {"a.b": {"c": 1}}})");
  const JsonView view(json, "f");
  EXPECT_EQ(view.at("text").string(), "a");
  EXPECT_TRUE(view.at("yes").boolean());
  EXPECT_EQ(view.at("seven").integer(7, 7), 7);
  EXPECT_EQ(view.at("seven").number(), 7.0);
  EXPECT_EQ(view.at("seven").natural(), 7u);
  EXPECT_EQ(view.at("most").natural(), UINT64_MAX);
  EXPECT_EQ(view.at("least").integer(), INT64_MIN);
  EXPECT_EQ(view.at("half").number(), 0.5);
  EXPECT_TRUE(view.at("null").is_null());
  EXPECT_TRUE(view.find("null").has_value());
  EXPECT_FALSE(view.has("null"));
  EXPECT_FALSE(view.find("none").has_value());
  EXPECT_FALSE(view.has("none"));
  EXPECT_FALSE(view.at("seven").has("none"));
  EXPECT_TRUE(view.boolean_or("none", true));
  EXPECT_TRUE(view.boolean_or("null", true));
  EXPECT_EQ(view.optional_string("text"), "a");
  EXPECT_EQ(view.optional_string("null"), std::nullopt);
  std::string places;
  for (const JsonView& item : view.at("list").items()) places += item.place().text() + "|";
  for (const auto& [key, inner] : view.at("inner").members()) {
    places += key + "|" + inner.at("c").place().text();
  }
  EXPECT_EQ(places, "f: list[0]|f: list[1]|a.b|f: inner.a.b.c");
  EXPECT_EQ(view.at("list").items().size(), 2u);
  EXPECT_EQ(view.at("list").items()[1].items()[0].place().text(), "f: list[1][0]");
  EXPECT_EQ(view.place().text(), "f");
}

TEST(JsonView, AllErrorsHaveOneWording) {
  const Json json = document(fmt::format(
      R"({{"text": "a\n", "int": 7, "half": 0.5, "large": 18446744073709551615, "list": [1, [], "b"],
          "deep": [[1]], "many": [1, 2, 3, 4, 5, 6, 7, 8, 9], "object": {{"a": {{"b": null}}}},
          "small": {{"a": 1}}, "long": "{}"}})",
      std::string(200, 'x')));
  const JsonView view(json, "f.json", ErrorCode::kBadData);
  struct Row {
    std::function<void()> use;
    std::string reason;
  };
  const Row rows[] = {
      {[&] { view.at("text").integer(); }, R"("text" is "a\n"; it must be an integer)"},
      {[&] { view.at("half").integer(); }, R"("half" is 0.5; it must be an integer of 64 bits)"},
      {[&] { view.at("large").integer(); },
       R"("large" is 18446744073709551615; it must be an integer of 64 bits)"},
      {[&] { view.at("int").integer(8); }, R"("int" is 7; it must be an integer of at least 8)"},
      {[&] { view.at("half").integer(8); },
       R"("half" is 0.5; it must be an integer from 8 to 9223372036854775807)"},
      {[&] { view.at("text").integer(8); },
       R"("text" is "a\n"; it must be an integer of at least 8)"},
      {[&] { view.at("int").integer(1, 6); }, R"("int" is 7; it must be an integer from 1 to 6)"},
      {[&] { view.at("half").natural(); },
       R"("half" is 0.5; it must be an integer from 0 to 18446744073709551615)"},
      {[&] { view.at("int").string(); }, R"("int" is 7; it must be a string)"},
      {[&] { view.at("int").boolean(); }, R"("int" is 7; it must be true or false)"},
      {[&] { view.at("text").number(); }, R"("text" is "a\n"; it must be a number)"},
      {[&] { view.at("text").number("a number above 0"); },
       R"("text" is "a\n"; it must be a number above 0)"},
      {[&] { view.at("small").items(); }, R"("small" is {"a": 1}; it must be a list)"},
      {[&] { view.at("list").object(); }, R"("list" is [1, [], "b"]; it must be an object)"},
      {[&] { view.at("deep").members(); }, R"("deep" is a list; it must be an object)"},
      {[&] { view.at("many").find("a"); }, R"("many" is a list; it must be an object)"},
      {[&] { view.at("object").items(); }, R"("object" is an object; it must be a list)"},
      {[&] { view.at("list").items()[2].at("a"); }, R"("list[2]" is "b"; it must be an object)"},
      {[&] { view.at("object").at("a").at("b").string(); },
       R"("object.a.b" is null; it must be a string)"},
      {[&] { view.at("object").at("c"); }, R"("object.c" is missing)"},
      {[&] { view.at("none"); }, R"("none" is missing)"},
      {[&] { view.at("long").boolean(); },
       "\"long\" is \"" + std::string(80, 'x') + "...; it must be true or false"},
      {[&] { view.items(); }, "is an object; it must be a list"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    const Error error = expect_error(ErrorCode::kBadData, row.use);
    EXPECT_EQ(error.file(), "f.json");
    EXPECT_EQ(error.reason(), row.reason);
  }
  const Error own = expect_error(ErrorCode::kBadData, [&] { view.at("int").fail("is odd"); });
  EXPECT_EQ(own.place().text(), "f.json: int");
  EXPECT_EQ(own.reason(), "is odd");
}

}  // namespace
}  // namespace spanforge
