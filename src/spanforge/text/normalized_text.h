#pragma once
// A text between its steps of tokenization: normalised code points, each with its range of original
// code points. Flat and reused, so that a text costs no allocation once the arrays have grown.
// Invariant: ranges do not decrease.

#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {

struct NormalizedText {
  std::vector<char32_t> chars;
  std::vector<CharSpan> spans;  // parallel to chars

  void clear() { chars.clear(), spans.clear(); }
  int32_t size() const { return static_cast<int32_t>(chars.size()); }
  void push(char32_t c, CharSpan span) { chars.push_back(c), spans.push_back(span); }
};

// Half-open range of code points of a NormalizedText.
struct CharRange {
  int32_t begin = 0;
  int32_t end = 0;
};

// A stretch of normalised text that pre-tokenisers split into words and may rewrite.
struct PreTokenizedText {
  NormalizedText text;
  std::vector<CharRange> words;  // of text, in order, never empty
};

}  // namespace spanforge
