#pragma once
// What: the squad_v2 metric of `evaluate`, to the last digit. Source: the official SQuAD 2.0
//   evaluation script as vendored by evaluate's squad_v2 (facts in docs/metrics.md).
// Digits: scores are added one after the other in the order of the items, in double, as Python's
//   sum() did up to 3.11 (3.12 compensates rounding).
// Errors: none for odd values; a prediction missing for a question is reported by the caller.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

// Lower case, ASCII punctuation and the articles a/an/the removed, white space collapsed.
std::string squad_normalize(std::string_view text);
bool squad_exact(std::string_view gold, std::string_view prediction);
double squad_f1(std::string_view gold, std::string_view prediction);

struct SquadItem {
  std::string id;
  std::vector<std::string> golds;  // all reference texts; empty: no answer
  std::string prediction;
  double no_answer_probability = 0.0;
  bool answered = true;  // false: there is no prediction; scores 0, never sets a threshold
};

// Exact match and F1 of one item: the best over the golds that do not normalise to nothing, or over
// "" where none is left. No threshold is applied.
struct SquadItemScore {
  bool exact = false;
  double f1 = 0;
};
SquadItemScore squad_item_score(const SquadItem& item);

// All that squad_v2 looks at of one item.
struct SquadOutcome {
  SquadItemScore score;
  double no_answer_probability = 0.0;
  bool has_golds = false, predicts_text = false, answered = true;
};
SquadOutcome squad_outcome(const SquadItem& item);

struct SquadScores {
  double exact = 0, f1 = 0;
  int64_t total = 0;
  struct Part {
    double exact = 0, f1 = 0;
    int64_t total = 0;
  };
  std::optional<Part> has_answer, no_answer;  // present when such questions exist, as the reference
  std::optional<double> best_exact, best_exact_thresh, best_f1, best_f1_thresh;
};

// no_answer_threshold as the reference's. tie_order: positions in `items`; among equal
// no_answer_probability the search for best_* walks them in this order (the reference: order of the
// odds); empty: the order of the items. Without items everything is 0 and best_* are absent.
SquadScores squad_v2(const std::vector<SquadItem>& items, double no_answer_threshold = 1.0,
                     std::span<const size_t> tie_order = {});
SquadScores score_outcomes(std::span<const SquadOutcome> items, double no_answer_threshold = 1.0,
                     std::span<const size_t> tie_order = {});

}  // namespace spanforge
