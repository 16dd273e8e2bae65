#include <algorithm>
#include <cmath>

#include "spanforge/decode/decoders.h"
#include "spanforge/decode/span_search.h"

namespace spanforge {
namespace {

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float x : logits) sum += std::exp(x - top);
  return top + std::log(sum);
}

}  // namespace

DecodedExample decode_recipe(const ExampleView& example, const DecoderOptions& options) {
  DecodedExample result;
  for (const WindowView& window : example.windows) {
    const int32_t length = window.length();
    const auto longest = static_cast<int32_t>(length * options.max_answer_ratio);
    const double normaliser = log_sum_exp(window.start) + log_sum_exp(window.end);
    // Ordered by the plain sum of logits: it is exact in double, so equal sums are real ties.
    SpanSearch search({window.start.begin(), window.start.end()},
                      {window.end.begin(), window.end.end()},
                      bounded_ends(length, 0, length, longest), PairScore::kSum);
    for (int32_t k = 0; k < options.top_k; ++k) {
      const std::optional<ScoredPair> pair = search.next();
      if (!pair) break;
      Candidate& candidate = result.candidates.emplace_back();
      candidate.score = std::exp(pair->score - normaliser);
      candidate.start_token = pair->start;
      candidate.end_token = pair->end;
      candidate.window = window.window;
      candidate.start_logit = window.start[static_cast<size_t>(pair->start)];
      candidate.end_logit = window.end[static_cast<size_t>(pair->end)];
      candidate.span = {window.offsets[static_cast<size_t>(pair->start)].start,
                        window.offsets[static_cast<size_t>(pair->end)].end};
    }
  }
  std::stable_sort(result.candidates.begin(), result.candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  if (result.candidates.size() > static_cast<size_t>(options.top_k)) {
    result.candidates.resize(static_cast<size_t>(options.top_k));
  }
  for (Candidate& candidate : result.candidates) candidate.text = example.slice(candidate.span);
  if (!result.candidates.empty()) result.prediction = result.candidates.front();
  result.best_non_null = result.prediction.text;
  return result;
}

}  // namespace spanforge
