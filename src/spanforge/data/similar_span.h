#pragma once
// What: finds the span of a context that is most similar to an answer that the context lacks.
// Measure: F1 over the units of both, in any order. A unit is a word (a run of letters, digits and
//   marks, in lower case), or a single character of Hangul and of scripts without spaces between
//   words (Chinese, Japanese, Thai ...). Punctuation and white space are not units: a span that
//   differs only in them has F1 1. Among spans with F1 1, only those with the answer's order of
//   units count, if there are any. Punctuation at the ends is included if both have it.
// Cost: a context is split into units once for all its answers. An answer costs the places of its
//   units there, and about three times its length (at F1 0.8) for each place with enough other
//   units nearby. A search stops after kMaxSteps.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

struct SimilarSpans {
  double f1 = 0;
  std::vector<CharSpan> spans;  // all spans with the best F1, at least min_f1; in order of start
  bool given_up = false;        // the search was too long; spans is empty
  static constexpr int64_t kMaxSteps = 100'000'000;
};

// Searches one context for many answers. The context must outlive it.
class SimilarSpanSearch {
 public:
  explicit SimilarSpanSearch(std::string_view context);

  // A span begins and ends with a unit of the answer, or with punctuation as above. REQUIRES:
  // 0 < min_f1 <= 1.
  SimilarSpans find(std::string_view answer, double min_f1);

 private:
  std::string_view context_;
  CodePointIndex index_;
  KeyedMap<std::u32string, int32_t> numbers_;  // unit -> its number
  std::vector<int32_t> hay_;                   // the context's units, by number
  std::vector<CharSpan> spans_;                // parallel to hay_
  std::vector<size_t> place_begin_;            // of each number, its first index in places_
  std::vector<size_t> places_;                 // indices into hay_, sorted by number
  std::vector<int32_t> wanted_;                // of each number, its unit of the answer, or foreign
};

// The same for one answer.
SimilarSpans find_similar_spans(std::string_view answer, std::string_view context, double min_f1);

}  // namespace spanforge
