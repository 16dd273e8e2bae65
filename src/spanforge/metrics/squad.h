#pragma once
// What: The squad_v2 metric of `evaluate`, to the last digit. Source: the official SQuAD 2.0
//   evaluation script as vendored by evaluate's squad_v2 (facts in docs/metrics.md).
// Digits: Scores are added in the order of the items, in double, as Python's sum() did up to 3.11
//   (3.12 compensates rounding).
// Errors: Odd values cause none. The caller reports a question without a prediction.

#include <string>
#include <string_view>

#include "spanforge/metrics/metric.h"

namespace spanforge {

// Lower case, without ASCII punctuation and the articles a/an/the, white space collapsed.
std::string squad_normalize(std::string_view text);
bool squad_exact(std::string_view gold, std::string_view prediction);
double squad_f1(std::string_view gold, std::string_view prediction);

// Exact match and F1 of one item: the best over the golds that do not normalise to nothing, or over
// "" if all do. Applies no threshold.
struct SquadItemScore {
  bool exact = false;
  double f1 = 0;
};
SquadItemScore squad_item_score(const SquadItem& item);

// Points: {exact, f1}. Keys: exact, f1, total; HasAns_* and NoAns_*, if such questions exist;
// best_*, if there are questions at all, from the sheet's best answers. An answer whose
// no_answer_probability is above the sheet's threshold counts as "". Among equal probabilities, the
// search for best_* takes questions in the sheet's tie_order (the reference: that of the odds).
extern const Metric kSquadV2;

}  // namespace spanforge
