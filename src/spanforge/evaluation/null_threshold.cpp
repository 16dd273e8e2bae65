#include "spanforge/evaluation/null_threshold.h"

#include <algorithm>

namespace spanforge {

std::optional<NullThreshold> find_null_threshold(std::vector<NullChoice> questions) {
  NullThreshold now;  // sums while the threshold rises; at first every answer is ""
  const auto exact = [](const SquadItemScore& score) { return score.exact ? 1.0 : 0.0; };
  for (const NullChoice& question : questions) {
    now.exact += exact(question.none);
    now.f1 += question.none.f1;
  }
  const auto answerable =
      std::count_if(questions.begin(), questions.end(), [](const auto& q) { return q.has_golds; });
  if (answerable == 0 || answerable == static_cast<std::ptrdiff_t>(questions.size())) {
    return std::nullopt;
  }
  std::sort(questions.begin(), questions.end(),
            [](const NullChoice& a, const NullChoice& b) { return a.log_odds < b.log_odds; });

  // A question is answered if its odds do not exceed the threshold.
  now.log_odds = questions.front().log_odds - 1.0;
  NullThreshold best = now;
  for (size_t i = 0; i < questions.size(); ++i) {
    const NullChoice& question = questions[i];
    now.exact += exact(question.answer) - exact(question.none);
    now.f1 += question.answer.f1 - question.none.f1;
    const bool last = i + 1 == questions.size();
    const double odds = question.log_odds;
    if (!last && questions[i + 1].log_odds == odds) continue;  // equal odds are on the same side
    now.log_odds = last ? odds + 1.0 : (odds + questions[i + 1].log_odds) / 2;
    if (now.f1 > best.f1 || (now.f1 == best.f1 && now.exact > best.exact)) best = now;
  }
  best.exact *= 100.0 / static_cast<double>(questions.size());
  best.f1 *= 100.0 / static_cast<double>(questions.size());
  return best;
}

}  // namespace spanforge
