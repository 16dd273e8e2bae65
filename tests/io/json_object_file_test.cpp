#include "spanforge/io/json_object_file.h"

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

const Json kValues = {
    {"none", nullptr},
    {"text", "a \"b\" {[\n é 漢 😀"},
    {"", 1.5},
    {"empty list", Json::array()},
    {"empty object", Json::object()},
    {"nested", {{"list", {1, 2, {{"x", "}"}}}}}},
};

TEST(JsonObjectFile, WritesTheBytesOfTheWholeObject) {
  const testing::TemporaryDirectory directory;
  JsonObjectFile file(AtomicFile(directory / "out.json"));
  Json object = Json::object();
  for (const auto& [key, value] : kValues.items()) {
    file.add(key, value);
    object[key] = value;
  }
  for (const size_t length : {0, 1, 3}) {
    Json list = Json::array();
    size_t given = 0;
    file.add_list("list of " + std::to_string(length), [&]() -> std::optional<Json> {
      if (given == length) return std::nullopt;
      list.push_back(given++ % 2 == 0 ? kValues : Json("text"));
      return list.back();
    });
    object["list of " + std::to_string(length)] = list;
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "out.json")) << "not before commit()";
  file.commit();
  EXPECT_EQ(read_file(directory / "out.json"), dump_python_json(object, {.indent = 4}) + "\n");
}

TEST(JsonObjectFile, WithoutMembersIsAnEmptyObject) {
  const testing::TemporaryDirectory directory;
  JsonObjectFile file(AtomicFile(directory / "out.json"));
  file.commit();
  EXPECT_EQ(read_file(directory / "out.json"), "{}\n");
}

}  // namespace
}  // namespace spanforge
