#include "spanforge/base/json.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/core.h>

namespace spanforge {
namespace {

// The float as an integer of the type; nullopt if it is not one.
template <class T>
std::optional<T> whole_number(double value) {
  // The first float above the type's range. The type's largest value may round up to it.
  const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
  const bool in_range = value >= static_cast<double>(std::numeric_limits<T>::min()) && value < end;
  if (!in_range || value != std::trunc(value)) return std::nullopt;
  return static_cast<T>(value);
}

}  // namespace

Json::Json(const char* text) : Json(std::string(text)) {}
Json::Json(std::string_view text) : Json(std::string(text)) {}
Json::Json(const std::string& text) : Json(std::string(text)) {}
Json::Json(std::string&& text)
    : type_(Type::kString), held_{.text = new std::string(std::move(text))} {}
Json::Json(Array items) : type_(Type::kArray), held_{.items = new Array(std::move(items))} {}

Json::Json(std::initializer_list<JsonItem> items) {
  const bool is_object = std::all_of(items.begin(), items.end(), [](const JsonItem& item) {
    const Json& pair = item.value_;
    return pair.is_array() && pair.size() == 2 && pair.front().is_string();
  });
  if (!is_object) {
    *this = array(items);
    return;
  }
  *this = object();
  held_.members->reserve(items.size());
  for (const JsonItem& item : items) {
    Array& pair = item.value_.as_array();
    if (contains(pair[0].as_string())) continue;  // the first one counts, as in std::map
    held_.members->push_back({std::move(pair[0].as_string()), std::move(pair[1])});
  }
}

Json Json::array(std::initializer_list<JsonItem> items) {
  Array array;
  array.reserve(items.size());
  for (const JsonItem& item : items) array.push_back(std::move(item.value_));
  return Json(std::move(array));
}

Json Json::object() {
  Json json;
  json.held_.members = new Object();
  json.type_ = Type::kObject;
  return json;
}

Json::Json(const Json& other) : held_(other.held_) {
  switch (other.type_) {
    case Type::kString: held_.text = new std::string(*other.held_.text); break;
    case Type::kArray: held_.items = new Array(*other.held_.items); break;
    case Type::kObject: held_.members = new Object(*other.held_.members); break;
    default: break;
  }
  type_ = other.type_;
}

Json::Json(Json&& other) noexcept : type_(other.type_), held_(other.held_) {
  other.type_ = Type::kNull;
}

Json& Json::operator=(Json other) noexcept {
  std::swap(type_, other.type_);
  std::swap(held_, other.held_);
  return *this;
}

Json::~Json() {
  switch (type_) {
    case Type::kString: delete held_.text; break;
    case Type::kArray: delete held_.items; break;
    case Type::kObject: delete held_.members; break;
    default: break;
  }
}

std::string_view Json::type_name() const {
  switch (type_) {
    case Type::kNull: return "null";
    case Type::kBool: return "boolean";
    case Type::kString: return "string";
    case Type::kArray: return "array";
    case Type::kObject: return "object";
    default: return "number";
  }
}

void Json::mismatch(std::string_view wanted) const {
  throw Mismatch(fmt::format("must be {}, not {}", wanted, type_name()));
}

const std::string& Json::as_string() const {
  if (!is_string()) mismatch("a string");
  return *held_.text;
}
const Json::Array& Json::as_array() const {
  if (!is_array()) mismatch("an array");
  return *held_.items;
}
const Json::Object& Json::as_object() const {
  if (!is_object()) mismatch("an object");
  return *held_.members;
}
std::string& Json::as_string() {
  return const_cast<std::string&>(std::as_const(*this).as_string());
}
Json::Array& Json::as_array() { return const_cast<Array&>(std::as_const(*this).as_array()); }
Json::Object& Json::as_object() { return const_cast<Object&>(std::as_const(*this).as_object()); }

bool Json::get_bool() const {
  if (!is_boolean()) mismatch("true or false");
  return held_.boolean;
}

double Json::get_double() const {
  switch (type_) {
    case Type::kFloat: return held_.real;
    case Type::kInteger: return static_cast<double>(held_.integer);
    case Type::kUnsigned: return static_cast<double>(held_.whole);
    default: mismatch("a number");
  }
}

int64_t Json::get_integer(int64_t least, int64_t most) const {
  std::optional<int64_t> value;
  switch (type_) {
    case Type::kInteger: value = held_.integer; break;
    case Type::kUnsigned:
      if (std::in_range<int64_t>(held_.whole)) value = static_cast<int64_t>(held_.whole);
      break;
    case Type::kFloat: value = whole_number<int64_t>(held_.real); break;
    default: mismatch("a number");
  }
  if (value && *value >= least && *value <= most) return *value;
  throw Mismatch(fmt::format("{} is not a whole number from {} to {}", dump(), least, most));
}

uint64_t Json::get_unsigned(uint64_t most) const {
  std::optional<uint64_t> value;
  switch (type_) {
    case Type::kInteger:
      if (held_.integer >= 0) value = static_cast<uint64_t>(held_.integer);
      break;
    case Type::kUnsigned: value = held_.whole; break;
    case Type::kFloat: value = whole_number<uint64_t>(held_.real); break;
    default: mismatch("a number");
  }
  if (value && *value <= most) return *value;
  throw Mismatch(fmt::format("{} is not a whole number from 0 to {}", dump(), most));
}

size_t Json::size() const {
  switch (type_) {
    case Type::kNull: return 0;
    case Type::kArray: return held_.items->size();
    case Type::kObject: return held_.members->size();
    default: return 1;
  }
}

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const Member& member : *held_.members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  if (!is_object()) mismatch("an object");
  const Json* found = find(key);
  if (found == nullptr) throw Mismatch(fmt::format("\"{}\" is missing", key));
  return *found;
}

Json& Json::at(std::string_view key) { return const_cast<Json&>(std::as_const(*this).at(key)); }

Json& Json::operator[](std::string_view key) {
  if (is_null()) *this = object();
  if (!is_object()) mismatch("an object");
  if (const Json* found = find(key)) return const_cast<Json&>(*found);
  held_.members->push_back({std::string(key), Json()});
  return held_.members->back().value;
}

void Json::erase(std::string_view key) {
  std::erase_if(as_object(), [&](const Member& member) { return member.key == key; });
}

void Json::update(const Json& members) {
  for (const Member& member : members.as_object()) (*this)[member.key] = member.value;
}

const Json& Json::at(size_t index) const {
  const Array& items = as_array();
  if (index >= items.size()) throw Mismatch(fmt::format("item {} is missing", index));
  return items[index];
}

Json& Json::at(size_t index) { return const_cast<Json&>(std::as_const(*this).at(index)); }

void Json::push_back(Json value) {
  if (is_null()) *this = array();
  as_array().push_back(std::move(value));
}

const Json* Json::begin() const { return is_null() ? nullptr : as_array().data(); }
const Json* Json::end() const { return is_null() ? nullptr : as_array().data() + size(); }
Json* Json::begin() { return const_cast<Json*>(std::as_const(*this).begin()); }
Json* Json::end() { return const_cast<Json*>(std::as_const(*this).end()); }

bool Json::equals(const Json& other) const {
  if (is_number() && other.is_number()) {
    if (is_number_float() || other.is_number_float()) return get_double() == other.get_double();
    const bool is_signed = type_ == Type::kInteger;
    if (type_ == other.type_) {
      return is_signed ? held_.integer == other.held_.integer : held_.whole == other.held_.whole;
    }
    return is_signed ? std::cmp_equal(held_.integer, other.held_.whole)
                     : std::cmp_equal(held_.whole, other.held_.integer);
  }
  if (type_ != other.type_) return false;
  switch (type_) {
    case Type::kBool: return held_.boolean == other.held_.boolean;
    case Type::kString: return *held_.text == *other.held_.text;
    case Type::kArray: return *held_.items == *other.held_.items;
    case Type::kObject:
      return std::equal(held_.members->begin(), held_.members->end(), other.held_.members->begin(),
                        other.held_.members->end(), [](const Member& a, const Member& b) {
                          return a.key == b.key && a.value == b.value;
                        });
    default: return true;
  }
}

void append_member(Json& object, std::string key, Json value) {
  object.as_object().push_back({std::move(key), std::move(value)});
}

}  // namespace spanforge
