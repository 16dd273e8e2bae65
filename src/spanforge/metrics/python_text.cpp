#include "spanforge/metrics/python_text.h"

#include <algorithm>

#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

bool is_python_space(char32_t c) {
  if (c < 0x80) return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool is_python_word_char(char32_t c) {
  if (c < 0x80) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  // Letters, and numbers of every kind: what isalpha, isdecimal, isdigit and isnumeric add up to.
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
}

std::string python_lower(std::string_view text) {
  std::string out;
  if (is_ascii(text)) {
    out = text;
    for (char& c : out) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    }
    return out;
  }
  icu::UnicodeString wide =
      icu::UnicodeString::fromUTF8({text.data(), static_cast<int32_t>(text.size())});
  wide.toLower(icu::Locale::getRoot());
  wide.toUTF8String(out);
  return out;
}

std::vector<std::string> python_split(std::string_view text) {
  std::vector<std::string> words;
  size_t word_start = 0;
  bool in_word = false;
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    if (is_python_space(next_code_point(text, pos))) {
      if (in_word) words.emplace_back(text.substr(word_start, start - word_start));
      in_word = false;
    } else if (!in_word) {
      in_word = true;
      word_start = start;
    }
  }
  if (in_word) words.emplace_back(text.substr(word_start));
  return words;
}

std::string_view python_strip(std::string_view text) {
  size_t first = text.size(), last = 0;
  for (size_t pos = 0; pos < text.size();) {
    const size_t start = pos;
    if (is_python_space(next_code_point(text, pos))) continue;
    first = std::min(first, start);
    last = pos;
  }
  return first < last ? text.substr(first, last - first) : std::string_view{};
}

}  // namespace spanforge
