#pragma once
// Between the text of an option's value and its typed field.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace spanforge::app {

inline constexpr std::string_view kBooleanPlaceholder = "true|false";

// Text -> field. Each returns false when the text is not such a value.
bool read_value(const std::string& text, bool& out);
bool read_value(const std::string& text, int32_t& out);
bool read_value(const std::string& text, int64_t& out);
bool read_value(const std::string& text, uint64_t& out);
bool read_value(const std::string& text, double& out);
bool read_value(const std::string& text, std::string& out);
bool read_value(const std::string& text, std::filesystem::path& out);
template <class T>
bool read_value(const std::string& text, std::optional<T>& out) {
  T value{};
  if (!read_value(text, value)) return false;
  out = std::move(value);
  return true;
}

// Field -> text of its default; "" where there is none to speak of.
std::string default_text(bool value);
std::string default_text(int64_t value);
std::string default_text(uint64_t value);
std::string default_text(double value);
inline std::string default_text(int32_t value) { return default_text(int64_t{value}); }
inline std::string default_text(const std::string& value) { return value; }
inline std::string default_text(const std::filesystem::path& value) { return value.string(); }
template <class T>
std::string default_text(const std::optional<T>& value) {
  return value.has_value() ? default_text(*value) : "";
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
template <class T>
ValueNames value_names(const std::optional<T>*) {
  return value_names(static_cast<const T*>(nullptr));
}

// Ranges stated in a form a machine reads are checked: "a|b|c", ">= X", "> X", "A..B" (both ends
// allowed). Other forms are checked where the value is used, and count as allowed here.
bool in_range(const std::string& text, const std::string& range);

}  // namespace spanforge::app
