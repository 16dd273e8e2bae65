#pragma once
// The pattern by which ByteLevel splits texts. Matched by hand, because regex engines of Linux
// distributions know other Unicode versions than the reference:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Its matches cover a text. Source: GPT-2's encoder.py; tokenizers 0.22,
// pre_tokenizers/byte_level.rs.

#include "spanforge/text/unicode.h"
#include "spanforge/text/utf8_cursor.h"

namespace spanforge {

class Gpt2Pattern {
 public:
  // The end of the match that begins at `begin`. REQUIRES: begin != end. Unit: bytes of valid
  // UTF-8, or code points.
  template <class Unit>
  static const Unit* match_end(const Unit* begin, const Unit* end) {
    const Unit* next = begin;
    const char32_t c = take_code_point(next);
    if (c == '\'') {
      if (const Unit* after = contraction_end(next, end)) return after;
    }
    Class kind = class_of(c);
    if (c == ' ' && next != end) {
      const Unit* after = next;
      const Class following = class_of(take_code_point(after));
      if (following == kSpace) return spaces_end(begin, next, end);
      kind = following;
      next = after;
    }
    if (kind == kSpace) return spaces_end(begin, next, end);
    while (next != end) {
      const Unit* after = next;
      if (class_of(take_code_point(after)) != kind) break;
      next = after;
    }
    return next;
  }

 private:
  enum Class : unsigned char { kOther, kLetter, kNumber, kSpace };
  static Class class_of(char32_t c) {
    if (c < 0x80) {
      if (static_cast<char32_t>((c | 0x20) - 'a') < 26) return kLetter;
      if (c - '0' < 10) return kNumber;
      return c == ' ' || c - '\t' < 5 ? kSpace : kOther;
    }
    const auto flags = unicode::record(c).flags;
    if (flags & unicode::kLetter) return kLetter;
    if (flags & unicode::kNumber) return kNumber;
    return flags & unicode::kWhitespace ? kSpace : kOther;
  }

  // p: after the apostrophe. nullptr: it begins no contraction.
  template <class Unit>
  static const Unit* contraction_end(const Unit* p, const Unit* end) {
    if (p == end) return nullptr;
    switch (*p) {
      case 's':
      case 't':
      case 'm':
      case 'd': return p + 1;
      case 'r':
      case 'v': return p + 1 != end && p[1] == 'e' ? p + 2 : nullptr;
      case 'l': return p + 1 != end && p[1] == 'l' ? p + 2 : nullptr;
      default: return nullptr;
    }
  }

  // next: after the first white space. Leaves the last white space before a word to the next match,
  // unless it is the only one.
  template <class Unit>
  static const Unit* spaces_end(const Unit* begin, const Unit* next, const Unit* end) {
    const Unit* last = begin;
    while (next != end) {
      const Unit* after = next;
      if (class_of(take_code_point(after)) != kSpace) return last == begin ? next : last;
      last = next;
      next = after;
    }
    return next;
  }
};

}  // namespace spanforge
