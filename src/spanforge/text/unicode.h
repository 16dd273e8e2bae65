#pragma once
// What: properties of code points in Hugging Face's `tokenizers` (its Unicode versions are frozen
//   and mixed). tools/unicode_tables.py makes the tables by passing every code point through that
//   library; unicode_tables.cpp begins with its version.
// Units: code points below 0x110000. Threads: constant data.

#include <cstddef>
#include <cstdint>

namespace spanforge::unicode {

enum CharFlag : uint16_t {
  kWhitespace = 1,   // char::is_whitespace of Rust, \s of its regex crate
  kRemoved = 2,      // dropped by BertNormalizer's clean_text
  kPunctuation = 4,  // isolated by BertPreTokenizer
  kCjk = 8,          // a Chinese character to BertNormalizer
  kNonspacing =
      16,      // category Mn for BertNormalizer's strip_accents; set if NFD keeps the character
  kMark = 32,  // dropped by the StripAccents normaliser
  kWord = 64,  // \w of Rust's regex crate
  kReorders = 128,   // its accent-stripped NFD keeps a mark, which NFD may move past others
  kLetter = 256,     // \p{L} of Oniguruma, for ByteLevel's pattern; its \s is kWhitespace
  kNumber = 512,     // \p{N} of Oniguruma
  kComposes = 1024,  // NFC may change it, move it or compose it with the characters before it
};

struct CharRecord {
  uint16_t flags;
  uint8_t combining_class;
  uint8_t decomposition_length;  // 0: NFD keeps the character (or it is a Hangul syllable)
  uint8_t lowercase_length;      // 0: lowercase is the code point + lowercase; else its length
  uint16_t decomposition;        // index into kPool
  int32_t lowercase;             // distance, or index into kPool
};

inline constexpr int kBlockBits = 7;
extern const uint16_t kStage1[];
extern const uint16_t kStage2[];
extern const CharRecord kRecords[];
extern const char32_t kPool[];

// Two characters and the one that NFC makes of them, without Hangul; sorted.
struct Composition {
  char32_t first, second, composed;
};
extern const size_t kCompositionCount;
extern const Composition kCompositions[];

inline const CharRecord& record(char32_t c) {
  return kRecords[kStage2[(kStage1[c >> kBlockBits] << kBlockBits) |
                          (c & ((1 << kBlockBits) - 1))]];
}
inline bool has(char32_t c, uint16_t flags) { return (record(c).flags & flags) != 0; }

// Calls out(code point, index) for each code point of the lowercase form.
template <class Out>
void lowercase(char32_t c, Out&& out) {
  const CharRecord& r = record(c);
  if (r.lowercase_length == 0) {
    out(static_cast<char32_t>(static_cast<int32_t>(c) + r.lowercase), 0);
    return;
  }
  for (int i = 0; i < r.lowercase_length; ++i) out(kPool[r.lowercase + i], i);
}

// The character that NFC makes of two; 0: it does not compose them.
char32_t compose(char32_t first, char32_t second);

// Calls out(code point, index) for each code point of the canonical decomposition, in its order.
// Does not reorder marks.
template <class Out>
void decompose(char32_t c, Out&& out) {
  constexpr char32_t kBase = 0xAC00, kL = 0x1100, kV = 0x1161, kT = 0x11A7;
  if (c >= kBase && c < kBase + 11172) {
    const char32_t s = c - kBase;
    out(kL + s / 588, 0);
    out(kV + s % 588 / 28, 1);
    if (s % 28 != 0) out(kT + s % 28, 2);
    return;
  }
  const CharRecord& r = record(c);
  if (r.decomposition_length == 0) {
    out(c, 0);
    return;
  }
  for (int i = 0; i < r.decomposition_length; ++i) out(kPool[r.decomposition + i], i);
}

}  // namespace spanforge::unicode
