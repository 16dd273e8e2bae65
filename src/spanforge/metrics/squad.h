#pragma once
// What: the squad_v2 metric of `evaluate`, to the last digit. Source: the official SQuAD 2.0
//   evaluation script as vendored by evaluate's squad_v2 (facts in docs/metrics.md).
// Digits: scores are added one after the other in the order of the items, in double, as Python's
//   sum() did up to 3.11 (3.12 compensates rounding).
// Errors: none for odd values; a prediction missing for a question is reported by the caller.

#include <string>
#include <string_view>

#include "spanforge/metrics/metric.h"

namespace spanforge {

// Lower case, ASCII punctuation and the articles a/an/the removed, white space collapsed.
std::string squad_normalize(std::string_view text);
bool squad_exact(std::string_view gold, std::string_view prediction);
double squad_f1(std::string_view gold, std::string_view prediction);

// Exact match and F1 of one item: the best over the golds that do not normalise to nothing, or over
// "" where none is left. No threshold is applied.
struct SquadItemScore {
  bool exact = false;
  double f1 = 0;
};
SquadItemScore squad_item_score(const SquadItem& item);

// Points: {exact, f1}. Keys: exact, f1, total; HasAns_* and NoAns_*, where such questions exist;
// best_*, where there are questions at all, from the sheet's best answers. An answer whose
// no_answer_probability is above the sheet's threshold counts as "". Among equal probabilities the
// search for best_* walks the questions in the sheet's tie_order (the reference: that of the odds).
extern const Metric kSquadV2;

}  // namespace spanforge
