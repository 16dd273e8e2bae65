#include "spanforge/data/answer_start.h"

#include <charconv>
#include <string>

#include "spanforge/data/normalize.h"

namespace spanforge {

bool is_start(const Json& value) {
  const bool large = value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX;
  return value.is_number_integer() && !large;
}

int64_t start_value(const Json& value) {
  if (is_start(value)) return value.get<int64_t>();
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  return read.ec == std::errc() && read.ptr == end && number >= 0 ? number : -1;
}

std::optional<bool> spelled_bool(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  std::string word = value.is_string() ? value.as_string() : value.dump();
  for (char& c : word) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const char* yes : {"true", "yes", "1", "1.0", "y", "t"}) {
    if (word == yes) return true;
  }
  for (const char* no : {"false", "no", "0", "0.0", "n", "f", ""}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

bool says_no_answer(std::string_view text, StartSource source, bool is_impossible) {
  return trim_white_space(text).empty() &&
         (is_impossible || (text.empty() && source != StartSource::kStated));
}

Json number_spelling(std::string_view digits) { return {{"number", digits}}; }

bool is_spelling(const Json& value) {
  return value.is_object() && value.size() == 1 && value.items().front().key == "number";
}

}  // namespace spanforge
