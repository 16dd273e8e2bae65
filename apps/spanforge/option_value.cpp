#include "option_value.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/core.h>

namespace spanforge::app {
namespace {

template <class Number>
bool read_number(const std::string& text, Number& out) {
  const char* begin = text.data() + (text.size() > 1 && text[0] == '+' ? 1 : 0);
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(begin, end, out);
  return result.ec == std::errc{} && result.ptr == end;
}

template <class Number>
ValueNames whole_number() {
  return {fmt::format("a whole number of at most {}", std::numeric_limits<Number>::max()), "N"};
}

}  // namespace

bool read_value(const std::string& text, bool& out) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const char* word : {"true", "yes", "t", "y", "1"}) {
    if (lower == word) return out = true;
  }
  for (const char* word : {"false", "no", "f", "n", "0"}) {
    if (lower == word) {
      out = false;
      return true;
    }
  }
  return false;
}
bool read_value(const std::string& text, int32_t& out) { return read_number(text, out); }
bool read_value(const std::string& text, int64_t& out) { return read_number(text, out); }
bool read_value(const std::string& text, uint64_t& out) { return read_number(text, out); }
bool read_value(const std::string& text, double& out) {
  return read_number(text, out) && std::isfinite(out);
}
bool read_value(const std::string& text, std::string& out) {
  out = text;
  return true;
}
bool read_value(const std::string& text, std::filesystem::path& out) {
  out = text;
  return !text.empty();
}

std::string default_text(bool value) { return value ? "true" : "false"; }
std::string default_text(int64_t value) { return fmt::format("{}", value); }
std::string default_text(uint64_t value) { return fmt::format("{}", value); }
std::string default_text(double value) { return fmt::format("{}", value); }

ValueNames value_names(const bool*) { return {"true or false", std::string(kBooleanPlaceholder)}; }
ValueNames value_names(const int32_t*) { return whole_number<int32_t>(); }
ValueNames value_names(const int64_t*) { return whole_number<int64_t>(); }
ValueNames value_names(const uint64_t*) { return whole_number<uint64_t>(); }
ValueNames value_names(const double*) { return {"a finite number", "X"}; }
ValueNames value_names(const std::string*) { return {"a text", "TEXT"}; }
ValueNames value_names(const std::filesystem::path*) { return {"a path", "PATH"}; }

bool in_range(const std::string& text, const std::string& range) {
  if (range.find('|') != std::string::npos) {
    for (size_t start = 0; start <= range.size();) {
      const size_t end = std::min(range.find('|', start), range.size());
      if (range.compare(start, end - start, text) == 0) return true;
      start = end + 1;
    }
    return false;
  }
  double value = 0, low = 0, high = 0;
  if (!read_number(text, value)) return true;
  if (range.starts_with(">= ") && read_number(range.substr(3), low)) return value >= low;
  if (range.starts_with("> ") && read_number(range.substr(2), low)) return value > low;
  const size_t dots = range.find("..");
  if (dots != std::string::npos && read_number(range.substr(0, dots), low) &&
      read_number(range.substr(dots + 2), high)) {
    return value >= low && value <= high;
  }
  return true;
}

}  // namespace spanforge::app
