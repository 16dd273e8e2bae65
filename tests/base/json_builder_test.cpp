#include "spanforge/base/json_builder.h"

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

std::string list_of(const std::string& item, size_t times) {
  std::string text = "[" + item;
  for (size_t i = 1; i < times; ++i) text += "," + item;
  return text + "]";
}

TEST(JsonBuilder, RefusesValuesAboveTheMemoryLimit) {
  for (const char* item : {"0", "[]", "{}", R"({"a":0})", R"("")", "[[[]]]"}) {
    SCOPED_TRACE(item);
    const std::string text = list_of(item, 10'000);
    JsonReader in(text, "f", ErrorCode::kBadData);
    const Error error = expect_error(ErrorCode::kBadData, [&] { JsonBuilder(in, 100'000).read(); });
    EXPECT_NE(error.reason().find("far more memory"), std::string::npos) << error.what();
    JsonReader again(text, "f", ErrorCode::kBadData);
    EXPECT_EQ(JsonBuilder(again, 10'000'000).read().size(), 10'000u);
  }
}

TEST(JsonBuilder, ForgottenValuesDoNotCount) {
  const std::string text = list_of(R"(["a", {"b": 1}])", 10'000);
  JsonReader in(text, "f", ErrorCode::kBadData);
  JsonBuilder builder(in, 1000);
  size_t rows = 0;
  for (in.begin_array(); in.next_item(); ++rows) {
    EXPECT_EQ(builder.read().size(), 2u);
    builder.forget();
  }
  EXPECT_EQ(rows, 10'000u);
}

TEST(JsonBuilder, AHookMakesTheNumbers) {
  const std::string text = R"({"a": [1.50, 2], "b": -3})";
  JsonReader in(text, "f", ErrorCode::kBadData);
  const auto spelt = [](const JsonReader& reader, Json number) -> Json {
    if (reader.innermost_key() == "b") return number;
    return {{"number", reader.last_text()}};
  };
  EXPECT_EQ(JsonBuilder(in, 1000, spelt).read().dump(),
            R"({"a":[{"number":"1.50"},{"number":"2"}],"b":-3})");
}

}  // namespace
}  // namespace spanforge
