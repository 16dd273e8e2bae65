#include "spanforge/base/json_builder.h"

#include <string>
#include <utility>
#include <variant>

namespace spanforge {
namespace {

constexpr uint64_t kContainer = 48;  // bytes of an empty list or object on the heap

}  // namespace

void JsonBuilder::charge(uint64_t bytes) {
  if (bytes > left_) {
    in_.fail("the values up to here take far more memory than their text");
  }
  left_ -= bytes;
}

Json JsonBuilder::read_list() {
  charge(kContainer);
  Json::Array items;
  in_.begin_array();
  while (in_.next_item()) {
    charge(2 * sizeof(Json));  // vectors grow by doubling
    items.push_back(read());
  }
  if (items.size() * 2 < items.capacity()) items.shrink_to_fit();
  return items;
}

Json JsonBuilder::read_object() {
  constexpr uint64_t kGrowing = 2 * sizeof(Json::Member) + 2 * sizeof(uint64_t);
  charge(kContainer);
  Json object = Json::object();
  Json::Object& members = object.as_object();
  std::string key;
  in_.begin_object();
  while (in_.next_key(key)) {
    charge(kGrowing + sizeof(Json::Member) + key.capacity());
    Json value = read();
    members.push_back({std::move(key), std::move(value)});
  }
  left_ += kGrowing * members.size();
  members.shrink_to_fit();
  return object;
}

Json JsonBuilder::read_string() {
  std::string text = in_.read_string();
  charge(sizeof(std::string) + text.capacity());
  return text;
}

Json JsonBuilder::read_number() {
  Json number = std::visit([](auto value) { return Json(value); }, in_.read_number());
  if (number_ == nullptr) return number;
  number = number_(in_, std::move(number));
  if (number.is_object()) {
    charge(kContainer + sizeof(Json::Member) + sizeof(std::string) + in_.last_text().size());
  }
  return number;
}

Json JsonBuilder::read() {
  switch (in_.peek()) {
    case JsonReader::Kind::kObject: return read_object();
    case JsonReader::Kind::kArray: return read_list();
    case JsonReader::Kind::kString: return read_string();
    case JsonReader::Kind::kBool: return in_.read_bool();
    case JsonReader::Kind::kNull: in_.read_null(); return nullptr;
    case JsonReader::Kind::kNumber: break;
  }
  return read_number();
}

Json read_document(JsonReader& in, uint64_t memory) {
  Json value = JsonBuilder(in, memory).read();
  in.finish();
  return value;
}

Json parse_json(std::string_view text, const std::string& file, ErrorCode code) {
  return parse_json_line(text, file, 1, code);
}

Json parse_json_line(std::string_view text, const std::string& file, size_t line, ErrorCode code) {
  JsonReader in(text, file, code, {.first_line = line});
  return read_document(in, text.size() + kJsonBesidesText);
}

}  // namespace spanforge
