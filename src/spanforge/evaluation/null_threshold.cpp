#include <algorithm>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/metrics/predictions_file.h"

namespace spanforge {
namespace {

struct Question {
  double odds = 0;
  double exact = 0, f1 = 0;            // of the best answer
  double none_exact = 0, none_f1 = 0;  // of ""
};

}  // namespace

std::optional<NullThreshold> find_null_threshold(const Dataset& dataset,
                                                 const std::vector<DecodedExample>& decoded) {
  std::vector<Question> questions;
  NullThreshold now;  // sums while walking; everything is "" at first
  size_t unanswerable = 0;
  for (size_t i = 0; i < decoded.size(); ++i) {
    SquadItem item = squad_item_of(dataset.examples[i]);
    item.prediction = decoded[i].best_non_null;
    const SquadItemScore answer = squad_item_score(item);
    item.prediction.clear();
    const SquadItemScore none = squad_item_score(item);
    questions.push_back({decoded[i].null_odds, answer.exact ? 1.0 : 0.0, answer.f1,
                         none.exact ? 1.0 : 0.0, none.f1});
    now.exact += questions.back().none_exact;
    now.f1 += none.f1;
    if (dataset.examples[i].answers.empty()) ++unanswerable;
  }
  if (unanswerable == 0 || unanswerable == questions.size()) return std::nullopt;
  std::sort(questions.begin(), questions.end(),
            [](const Question& a, const Question& b) { return a.odds < b.odds; });

  // A question is answered while its odds do not exceed the threshold.
  now.log_odds = questions.front().odds - 1.0;
  NullThreshold best = now;
  for (size_t i = 0; i < questions.size(); ++i) {
    now.exact += questions[i].exact - questions[i].none_exact;
    now.f1 += questions[i].f1 - questions[i].none_f1;
    const bool last = i + 1 == questions.size();
    if (!last && questions[i + 1].odds == questions[i].odds) continue;  // stand or fall together
    now.log_odds = last ? questions[i].odds + 1.0 : (questions[i].odds + questions[i + 1].odds) / 2;
    if (now.f1 > best.f1 || (now.f1 == best.f1 && now.exact > best.exact)) best = now;
  }
  best.exact *= 100.0 / static_cast<double>(questions.size());
  best.f1 *= 100.0 / static_cast<double>(questions.size());
  return best;
}

}  // namespace spanforge
