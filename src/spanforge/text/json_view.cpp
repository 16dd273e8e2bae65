#include "spanforge/text/json_view.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

void JsonView::fail(const std::string& reason) const {
  throw Error(ErrorCode::kBadModel, place_, reason);
}
bool JsonView::is_null() const { return value_->is_null(); }
bool JsonView::is_object() const { return value_->is_object(); }
bool JsonView::is_string() const { return value_->is_string(); }
bool JsonView::has(const std::string& key) const {
  return value_->is_object() && value_->contains(key) && !(*value_)[key].is_null();
}
JsonView JsonView::at(const std::string& key) const {
  if (!value_->is_object()) fail("an object must stand here");
  const Json* found = value_->find(key);
  if (found == nullptr) fail(fmt::format("the key \"{}\" is missing", key));
  // "FILE: a.b.c"; the file's name may hold dots, so the first step is set off by ": ".
  const bool inside = place_.find(": ") != std::string::npos;
  return {*found, place_ + (inside ? "." : ": ") + key};
}
std::string JsonView::string() const {
  if (!value_->is_string()) fail("a string must stand here");
  return value_->get<std::string>();
}
bool JsonView::boolean() const {
  if (!value_->is_boolean()) fail("true or false must stand here");
  return value_->get<bool>();
}
int64_t JsonView::integer() const {
  if (!value_->is_number_integer()) fail("a whole number must stand here");
  if (value_->is_number_unsigned() && value_->get<uint64_t>() > INT64_MAX) {
    fail("the number is too large");
  }
  return value_->get<int64_t>();
}
std::vector<JsonView> JsonView::items() const {
  if (!value_->is_array()) fail("a list must stand here");
  std::vector<JsonView> out;
  for (size_t i = 0; i < value_->size(); ++i) {
    out.emplace_back((*value_)[i], fmt::format("{}[{}]", place_, i));
  }
  return out;
}
std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  if (!value_->is_object()) fail("an object must stand here");
  std::vector<std::pair<std::string, JsonView>> out;
  for (const auto& [key, value] : value_->items()) {
    out.emplace_back(key, JsonView(value, place_ + "." + quote_for_message(key)));
  }
  return out;
}
bool JsonView::boolean_or(const std::string& key, bool fallback) const {
  return has(key) ? at(key).boolean() : fallback;
}
std::optional<std::string> JsonView::optional_string(const std::string& key) const {
  if (!has(key)) return std::nullopt;
  return at(key).string();
}

}  // namespace spanforge
