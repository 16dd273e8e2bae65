#include "spanforge/base/json_view.h"

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

// A value for a message. Only names large values: the file is untrusted.
std::string shown(const Json& value) {
  constexpr size_t kFewMembers = 8, kLongText = 80;
  const auto is_small = [](const Json& one) {
    return !(one.is_array() || one.is_object()) || one.empty();
  };
  if (value.is_array() && !(value.size() <= kFewMembers && std::ranges::all_of(value, is_small))) {
    return "a list";
  }
  if (value.is_object() && !(value.size() <= kFewMembers &&
                             std::ranges::all_of(value.items(), is_small, &Json::Member::value))) {
    return "an object";
  }
  if (value.is_string() && value.as_string().size() > kLongText) {
    return "\"" + quote_for_message(value.as_string(), kLongText);
  }
  return quote_for_message(dump_python_json(value, {.ensure_ascii = false}));
}

// of_64_bits: the value is a number, but not an integer of 64 bits.
std::string integer_wanted(int64_t least, int64_t most, bool of_64_bits) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  if (least == kLeast && most == kMost) return of_64_bits ? "an integer of 64 bits" : "an integer";
  if (most == kMost && !of_64_bits) return fmt::format("an integer of at least {}", least);
  return fmt::format("an integer from {} to {}", least, most);
}

}  // namespace

JsonView::JsonView(const Json& document, std::string file, ErrorCode code)
    : JsonView(document, ErrorPlace{.file = std::move(file)}, code) {}

JsonView::JsonView(const Json& document, ErrorPlace part, ErrorCode code)
    : value_(&document), document_(std::make_shared<Document>(Document{std::move(part), code})) {}

JsonView::JsonView(const Json& value, std::shared_ptr<const Document> document, std::string path)
    : value_(&value), document_(std::move(document)), path_(std::move(path)) {}

ErrorPlace JsonView::place() const { return document_->place.inside(path_); }

void JsonView::fail(const std::string& reason) const {
  throw Error(document_->code, place(), reason);
}

void JsonView::refuse(std::string_view wanted) const {
  std::string found = shown(*value_), subject;
  if (path_.empty()) {
    if (value_->is_array()) found = "a list";
    if (value_->is_object()) found = "an object";
  } else {
    subject = fmt::format("\"{}\" ", path_);
  }
  throw Error(document_->code, document_->place,
              fmt::format("{}is {}; it must be {}", subject, found, wanted));
}

JsonView JsonView::member(std::string_view key, const Json& value) const {
  return {value, document_, (path_.empty() ? "" : path_ + ".") + quote_for_message(key)};
}

const JsonView& JsonView::object() const {
  if (!is_object()) refuse("an object");
  return *this;
}

bool JsonView::has(std::string_view key) const {
  const Json* found = value_->find(key);
  return found != nullptr && !found->is_null();
}

std::optional<JsonView> JsonView::find(std::string_view key) const {
  const Json* found = object().value_->find(key);
  if (found == nullptr) return std::nullopt;
  return member(key, *found);
}

JsonView JsonView::at(std::string_view key) const {
  if (const Json* found = object().value_->find(key)) return member(key, *found);
  throw Error(document_->code, document_->place,
              fmt::format("\"{}\" is missing", member(key, *value_).path_));
}

const std::string& JsonView::string() const {
  if (!value_->is_string()) refuse("a string");
  return value_->as_string();
}

bool JsonView::boolean() const {
  if (!value_->is_boolean()) refuse("true or false");
  return value_->get<bool>();
}

int64_t JsonView::integer(int64_t least, int64_t most) const {
  const bool fits = value_->is_number_unsigned() ? value_->get<uint64_t>() <= uint64_t{INT64_MAX}
                                                 : value_->is_number_integer();
  const int64_t number = fits ? value_->get<int64_t>() : 0;
  if (!fits || number < least || number > most) {
    refuse(integer_wanted(least, most, value_->is_number() && !fits));
  }
  return number;
}

uint64_t JsonView::natural() const {
  const bool fits =
      value_->is_number_unsigned() || (value_->is_number_integer() && value_->get<int64_t>() >= 0);
  if (!fits) refuse(fmt::format("an integer from 0 to {}", UINT64_MAX));
  return value_->get<uint64_t>();
}

double JsonView::number(std::string_view wanted) const {
  if (!value_->is_number()) refuse(wanted);
  return value_->get<double>();
}

JsonView::Items JsonView::items() const {
  if (!value_->is_array()) refuse("a list");
  return Items(*this);
}

JsonView::Members JsonView::members() const { return Members(object()); }

JsonView JsonView::Items::make(const JsonView& list, size_t index) {
  return {list.value()[index], list.document_, fmt::format("{}[{}]", list.path_, index)};
}

std::pair<const std::string&, JsonView> JsonView::Members::make(const JsonView& object,
                                                                size_t index) {
  const auto& [key, value] = object.value().items()[index];
  return {key, object.member(key, value)};
}

bool JsonView::boolean_or(std::string_view key, bool fallback) const {
  return has(key) ? at(key).boolean() : fallback;
}

std::optional<std::string> JsonView::optional_string(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return at(key).string();
}

}  // namespace spanforge
