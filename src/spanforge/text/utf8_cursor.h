#pragma once
// Reads the next code point of a valid text, from bytes or from code points, so that one scanner
// reads both.

namespace spanforge {

// The code point at p. Moves p after it.
inline char32_t take_code_point(const unsigned char*& p) {
  const char32_t c = *p++;
  if (c < 0x80) return c;
  const auto next = [&p] { return static_cast<char32_t>(*p++ & 0x3F); };
  if (c < 0xE0) return (c & 0x1F) << 6 | next();
  if (c < 0xF0) {
    const char32_t high = (c & 0x0F) << 6 | next();
    return high << 6 | next();
  }
  const char32_t high = (c & 0x07) << 6 | next();
  const char32_t middle = high << 6 | next();
  return middle << 6 | next();
}
inline char32_t take_code_point(const char32_t*& p) { return *p++; }

// Whether a byte of UTF-8 begins a code point.
inline bool begins_code_point(unsigned char byte) { return (byte & 0xC0) != 0x80; }

}  // namespace spanforge
