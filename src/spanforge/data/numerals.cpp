#include "spanforge/data/numerals.h"

#include <algorithm>

#include "spanforge/base/utf8.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

// ASCII digits, their full-width forms, Arabic and Indian digits.
bool is_digit(char32_t c) {
  return (c >= U'0' && c <= U'9') || (c >= 0xFF10 && c <= 0xFF19) || (c >= 0x0660 && c <= 0x0669) ||
         (c >= 0x06F0 && c <= 0x06F9) || (c >= 0x0966 && c <= 0x096F);
}

// Characters between the digits of one number: points, commas, apostrophes, no-break spaces.
bool is_separator(char32_t c) {
  return c == U'.' || c == U',' || c == U'\'' || c == 0x2019 || c == 0xFF0E || c == 0x066B ||
         c == 0x066C || c == 0xA0 || c == 0x2009 || c == 0x202F;
}

bool is_sign(char32_t c) { return c == U'-' || c == U'+' || c == 0x2212; }

// A letter of a script that separates words.
bool is_letter(char32_t c) { return c < 0x590 && unicode::has(c, unicode::kWord) && !is_digit(c); }

bool is_number(std::string_view text) {
  return !text.empty() && (text.front() == '-' || (text.front() >= '0' && text.front() <= '9'));
}

}  // namespace

Numerals::Numerals(const std::string& context) {
  const std::string_view bytes = context;
  struct Character {
    char32_t c;
    size_t byte;
  };
  std::vector<Character> text;
  text.reserve(context.size());
  for (size_t at = 0; at < context.size();) {
    const size_t byte = at;
    text.push_back({next_code_point(context, at), byte});
  }
  const auto at = [&](size_t i) { return i < text.size() ? text[i].c : U'\0'; };
  const auto digits_from = [&](size_t i) {
    while (is_digit(at(i))) ++i;
    return i;
  };
  for (size_t i = 0; i < text.size();) {
    if (!is_digit(text[i].c)) {
      ++i;
      continue;
    }
    size_t begin = i;
    // ".5" and "-5", but neither "end.5" nor "...5" nor "12-5".
    const auto belongs_before = [&](size_t k) {
      return k > 0 && (is_letter(at(k - 1)) || is_digit(at(k - 1)) || at(k - 1) == U'.');
    };
    if (begin > 0 && at(begin - 1) == U'.' && !belongs_before(begin - 1)) --begin;
    if (begin > 0 && is_sign(at(begin - 1)) && !belongs_before(begin - 1)) --begin;
    size_t end = digits_from(i);
    while (is_separator(at(end)) && is_digit(at(end + 1))) end = digits_from(end + 1);
    if (at(end) == U'e' || at(end) == U'E') {
      const size_t sign = is_sign(at(end + 1)) ? 1 : 0;
      if (is_digit(at(end + 1 + sign))) end = digits_from(end + 1 + sign);
    }
    const size_t first_byte = text[begin].byte;
    const size_t last_byte = end < text.size() ? text[end].byte : bytes.size();
    const std::string_view spelling = bytes.substr(first_byte, last_byte - first_byte);
    all_.emplace_back(static_cast<int64_t>(begin), spelling);
    if (!(begin > 0 && is_letter(at(begin - 1))) && !is_letter(at(end))) {
      Places& places = alone_[spelling];
      if (places.count++ == 0) places.first = static_cast<int64_t>(begin);
    }
    i = end;
  }
}

std::optional<int64_t> Numerals::place_of(std::string_view number, int64_t stated) const {
  const auto at =
      std::lower_bound(all_.begin(), all_.end(), stated,
                       [](const auto& one, int64_t start) { return one.first < start; });
  if (at != all_.end() && at->first == stated && at->second == number) return stated;
  const auto alone = alone_.find(number);
  if (alone == alone_.end() || alone->second.count != 1) return std::nullopt;
  return alone->second.first;
}

bool stands_as_word(std::string_view word, int64_t start, const std::string& context,
                    const CodePointIndex& index) {
  if (start < 0 || static_cast<size_t>(start) >= index.size()) return false;
  const auto position = static_cast<size_t>(start);
  size_t at = index.byte_offset(position);
  if (context.compare(at, word.size(), word) != 0) return false;
  const auto belongs = [](char32_t c) { return is_letter(c) || is_digit(c); };
  size_t before = position > 0 ? index.byte_offset(position - 1) : 0;
  if (position > 0 && belongs(next_code_point(context, before))) return false;
  at += word.size();
  return at >= context.size() || !belongs(next_code_point(context, at));
}

std::optional<int64_t> place_of_mistyped(std::string_view text, int64_t stated, bool without_starts,
                                         const Numerals& numerals, const std::string& context,
                                         const CodePointIndex& index) {
  std::optional<int64_t> place;
  if (is_number(text)) {
    place = numerals.place_of(text, stated);
  } else if (!text.empty() && stands_as_word(text, stated, context, index)) {
    place = stated;
  }
  if (without_starts && place != stated) return std::nullopt;
  return place;
}

}  // namespace spanforge
