#pragma once
// Converts between the text of an option's value and its typed field.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/options.h"

namespace spanforge::app {

inline constexpr std::string_view kBooleanPlaceholder = "true|false";

// Text -> field. Each returns false if the text is not such a value.
bool read_value(const std::string& text, bool& out);
bool read_value(const std::string& text, int32_t& out);
bool read_value(const std::string& text, int64_t& out);
bool read_value(const std::string& text, uint64_t& out);
bool read_value(const std::string& text, double& out);
bool read_value(const std::string& text, std::string& out);
bool read_value(const std::string& text, std::filesystem::path& out);
// Reads a word of the enumeration. If it has "true" and "false", all usual words of a boolean are
// accepted.
template <Spelled E>
bool read_value(const std::string& text, E& out) {
  std::optional<E> value = find_spelling<E>(text);
  bool truth = false;
  if (!value && read_value(text, truth)) value = find_spelling<E>(truth ? "true" : "false");
  if (value) out = *value;
  return value.has_value();
}
template <class T>
bool read_value(const std::string& text, std::optional<T>& out) {
  T value{};
  if (!read_value(text, value)) return false;
  out = std::move(value);
  return true;
}

template <class T>
bool read_value(const std::string& text, Preset<T>& out) {
  T value = *out;
  if (!read_value(text, value)) return false;
  out = std::move(value);
  return true;
}

// Field -> text of its default; "" if there is none to show.
std::string default_text(bool value);
std::string default_text(int64_t value);
std::string default_text(uint64_t value);
std::string default_text(double value);
inline std::string default_text(int32_t value) { return default_text(int64_t{value}); }
inline std::string default_text(const std::string& value) { return value; }
inline std::string default_text(const std::filesystem::path& value) { return value.string(); }
template <Spelled E>
std::string default_text(E value) {
  return std::string(spelling_of(value));
}
template <class T>
std::string default_text(const std::optional<T>& value) {
  return value.has_value() ? default_text(*value) : "";
}
template <class T>
std::string default_text(const Preset<T>& value) {
  return default_text(*value);
}

struct ValueNames {
  std::string expected;     // "a whole number of at most 2147483647"
  std::string placeholder;  // "N"
};
ValueNames value_names(const bool*);
ValueNames value_names(const int32_t*);
ValueNames value_names(const int64_t*);
ValueNames value_names(const uint64_t*);
ValueNames value_names(const double*);
ValueNames value_names(const std::string*);
ValueNames value_names(const std::filesystem::path*);
template <Spelled E>
ValueNames value_names(const E*) {
  return {"one of " + choices<E>(), choices<E>()};
}
template <class T>
ValueNames value_names(const std::optional<T>*) {
  return value_names(static_cast<const T*>(nullptr));
}
template <class T>
ValueNames value_names(const Preset<T>*) {
  return value_names(static_cast<const T*>(nullptr));
}

// Checks ranges of these forms: "a|b|c", ">= X", "> X", "A..B" (both ends allowed). Other forms
// are checked where the value is used; here they count as allowed.
bool in_range(const std::string& text, const std::string& range);

}  // namespace spanforge::app
