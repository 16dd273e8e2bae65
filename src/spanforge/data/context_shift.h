#pragma once
// What: the one shift by which the starts of a context's answers are off, where it has one.
// Why: an annotator's text lost or gained some characters before it became the context. An answer
//   that stands once shows by how many; one that stands several times does not, but its neighbours
//   tell.
// Proof: a sure answer is one whose text stands exactly once: its shift is where it stands less the
//   start that is stated. A shift that is not 0 holds for another stated start where
//   - the nearest sure answer before it and the nearest one behind it both have that shift; or
//   - there are sure answers on one side of it only, at least two, and all of the context have that
//     shift; unless a way of counting (answer_search.h) explains all of them too and leads
//     elsewhere.
//   Sure answers of the very same start must have it as well, and prove nothing by themselves.
// Units: code points. Nearness is that of stated starts.

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
  std::vector<Counting> countings;  // those that explain it
  std::string_view id;              // of its question
};

struct ShiftProof {
  int64_t shift = 0;
  int64_t before = 0, behind = 0;    // sure answers with that shift, up to the first with another
  std::string id_before, id_behind;  // of the nearest; empty where there is none
};

class ContextShift {
 public:
  // Of all sure answers of one context.
  explicit ContextShift(std::vector<SureAnswer> sure);

  // The shift that holds for a stated start; fits: of the answer that states it.
  std::optional<ShiftProof> prove(int64_t stated, const std::vector<Fit>& fits) const;

 private:
  // The shift of all answers [begin, end); nullopt where they differ or there are none.
  std::optional<int64_t> common(size_t begin, size_t end) const;
  size_t nearest_begin(size_t end) const;
  size_t nearest_end(size_t begin) const;
  bool led_elsewhere(int64_t start, const std::vector<Fit>& fits) const;

  std::vector<SureAnswer> sure_;            // by stated start
  std::vector<size_t> run_begin_;           // of each, where the neighbours with its shift begin
  std::vector<size_t> run_end_;             // ... and end
  std::vector<Counting> common_countings_;  // those that explain every sure answer
};

// "answer_start is off by +2, as ... are: 3 before (nearest: q1), 2 behind (nearest: q4); ..."
std::string describe(const ShiftProof& proof, int64_t start);

}  // namespace spanforge
