#pragma once
// The threshold between an answer and none, in log odds: the one with the highest squad_v2 F1, then
// exact match, then the middle of the gap to the next question.

#include <optional>
#include <vector>

#include "spanforge/metrics/squad.h"

namespace spanforge {

// A question whose best answer may be given or withheld.
struct NullChoice {
  double log_odds = 0;          // of "" over its best answer that is not ""
  SquadItemScore answer, none;  // of that answer, of ""
  bool has_golds = false;
};

struct NullThreshold {
  double log_odds = 0;
  double exact = 0, f1 = 0;  // per cent, with this threshold
};
// nullopt: all questions have an answer, or none has.
std::optional<NullThreshold> find_null_threshold(std::vector<NullChoice> questions);

}  // namespace spanforge
