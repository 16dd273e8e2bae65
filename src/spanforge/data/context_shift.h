#pragma once
// What: finds the shift by which all starts of a context's answers are off, if there is one.
// Why: the annotated text lost or gained some characters before it became the context. An answer
//   that occurs once shows the shift. For an answer that occurs several times, its neighbours do.
// Proof: a sure answer is one whose text occurs exactly once; its shift is its true start minus its
//   stated start. A shift other than 0 holds for another stated start if
//   - the nearest sure answers before and after it both have this shift; or
//   - sure answers exist on one side only, there are at least two, all sure answers of the context
//     have this shift, and no way of counting (answer_search.h) explains all of them and gives
//     another place.
//   Sure answers with the same stated start must have the shift, too, but prove nothing alone.
// Units: code points. Nearest: by stated start.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/answer_search.h"

namespace spanforge {

struct SureAnswer {
  int64_t stated = 0;
  int64_t shift = 0;
  std::vector<Counting> countings;  // the ways of counting that explain its start
  std::string_view id;              // of its question
};

struct ShiftProof {
  int64_t shift = 0;
  int64_t before = 0, behind = 0;    // sure answers with this shift, up to the first with another
  std::string id_before, id_behind;  // of the nearest sure answer; "" if there is none
};

class ContextShift {
 public:
  // sure: all sure answers of one context.
  explicit ContextShift(std::vector<SureAnswer> sure);

  // The shift that holds for a stated start. fits: of the answer with that start.
  std::optional<ShiftProof> prove(int64_t stated, const std::vector<Fit>& fits) const;

 private:
  // The shift of all answers [begin, end); nullopt if they differ or there are none.
  std::optional<int64_t> common(size_t begin, size_t end) const;
  size_t nearest_begin(size_t end) const;
  size_t nearest_end(size_t begin) const;
  bool led_elsewhere(int64_t start, const std::vector<Fit>& fits) const;

  std::vector<SureAnswer> sure_;            // by stated start
  std::vector<size_t> run_begin_;           // of each, the begin of its neighbours with its shift
  std::vector<size_t> run_end_;             // ... and their end
  std::vector<Counting> common_countings_;  // those that explain every sure answer
};

// "answer_start is off by +2, as ... are: 3 before (nearest: q1), 2 after (nearest: q4); ..."
std::string describe(const ShiftProof& proof, int64_t start);

}  // namespace spanforge
