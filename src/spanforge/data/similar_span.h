#pragma once
// What: the span of a context that is most like an answer the context does not hold.
// Measure: F1 over the units that both hold, however they are ordered. A unit is a word (letters,
//   digits and marks in a row, lower case), or a single character in scripts without spaces between
//   words (Chinese, Japanese, Thai ...) and in Hangul; punctuation and white space are none, so a
//   span that differs in nothing else has F1 1. Of spans with F1 1, those with the units in the
//   answer's order come before any other. Punctuation at the ends is taken in where both have it.
// Cost: a context is taken apart once for all its answers; an answer costs the places of its units
//   there, and some three times its length (at F1 0.8) for each place with enough of the others
//   near; a search of more than kMaxSteps is given up.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

struct SimilarSpans {
  double f1 = 0;
  std::vector<CharSpan> spans;  // all that share the best F1, at least min_f1; in order of start
  bool given_up = false;        // too long to search; spans is empty
  static constexpr int64_t kMaxSteps = 100'000'000;
};

// The units of a context, for looking for many answers. The context must outlive it.
class SimilarSpanSearch {
 public:
  explicit SimilarSpanSearch(std::string_view context);

  // REQUIRES: 0 < min_f1 <= 1. But for such punctuation a span begins and ends with a unit of the
  // answer.
  SimilarSpans find(std::string_view answer, double min_f1);

 private:
  std::string_view context_;
  CodePointIndex index_;
  KeyedMap<std::u32string, int32_t> numbers_;  // of the units
  std::vector<int32_t> hay_;                   // the context's units, by number
  std::vector<CharSpan> spans_;                // parallel to hay_
  std::vector<size_t> place_begin_;            // of each number, where its places begin in places_
  std::vector<size_t> places_;                 // in hay_, by number
  std::vector<int32_t> wanted_;                // of each number, its unit of the answer; or foreign
};

// The same for one answer.
SimilarSpans find_similar_spans(std::string_view answer, std::string_view context, double min_f1);

}  // namespace spanforge
