#pragma once
// What: the squad_v2 metric of `evaluate`, to the last digit. Source: the official SQuAD 2.0
//   evaluation script as vendored by evaluate's squad_v2 (facts in docs/metrics.md).
// Errors: none for odd values; a prediction missing for a question is reported by the caller.

#include <cstdint>
#include <optional>
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
};

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

// no_answer_threshold as the reference's. Items keep the order that decides ties of best_*.
SquadScores squad_v2(const std::vector<SquadItem>& items, double no_answer_threshold = 1.0);

}  // namespace spanforge
