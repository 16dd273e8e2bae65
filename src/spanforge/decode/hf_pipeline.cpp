#include <algorithm>
#include <cmath>
#include <optional>

#include "spanforge/decode/decoders.h"
#include "spanforge/decode/span_search.h"
#include "spanforge/metrics/python_text.h"

namespace spanforge {
namespace {

// Softmax in float32 over the tokens that may be answered: the context's and every [CLS]. The
// others are exactly 0, as exp(-10000 - max) is.
std::vector<float> masked_softmax(std::span<const float> logits, const WindowView& window) {
  const size_t n = logits.size();
  std::vector<float> masked(n, -10000.0f);
  for (size_t t = 0; t < n; ++t) {
    const auto token = static_cast<int32_t>(t);
    const bool context = token >= window.context.start && token < window.context.end;
    if (context || window.input_ids[t] == window.input_ids[0]) masked[t] = logits[t];
  }
  const float top = *std::max_element(masked.begin(), masked.end());
  double sum = 0;
  for (float& x : masked) {
    x = std::exp(x - top);
    sum += x;
  }
  for (float& x : masked) x = static_cast<float>(x / static_cast<float>(sum));
  return masked;
}

// Characters of a word of the context, as far as this window contains it.
std::optional<CharSpan> word_span(const WindowView& window, int32_t word) {
  std::optional<CharSpan> span;
  if (word < 0) return span;
  for (int32_t t = window.context.start; t < window.context.end; ++t) {
    if (window.word_ids[static_cast<size_t>(t)] != word) continue;
    const CharSpan offsets = window.offsets[static_cast<size_t>(t)];
    if (!span) span = offsets;
    span->end = offsets.end;
  }
  return span;
}

CharSpan answer_span(const WindowView& window, const ScoredPair& pair, bool align_to_words) {
  const auto s = static_cast<size_t>(pair.start), e = static_cast<size_t>(pair.end);
  if (align_to_words) {
    const std::optional<CharSpan> first = word_span(window, window.word_ids[s]);
    const std::optional<CharSpan> last = word_span(window, window.word_ids[e]);
    if (first && last) return {first->start, last->end};
  }
  return {window.offsets[s].start, window.offsets[e].end};
}

// The answers so far. A text that occurred before, in any case, only adds to the first one's score.
struct Merged {
  std::vector<Candidate> answers;
  std::vector<std::string> lowered;

  void add(Candidate candidate) {
    std::string lower = python_lower(candidate.text);
    const auto found = std::find(lowered.begin(), lowered.end(), lower);
    if (found != lowered.end()) {
      Candidate& first = answers[static_cast<size_t>(found - lowered.begin())];
      first.score += candidate.score;
      return;
    }
    answers.push_back(std::move(candidate));
    lowered.push_back(std::move(lower));
  }
};

}  // namespace

DecodedExample decode_pipeline(const ExampleView& example, const DecoderOptions& options) {
  const int32_t per_window = options.align_to_words ? options.top_k * 2 + 10 : options.top_k;
  double null_score = 1000000;
  Merged merged;
  for (const WindowView& window : example.windows) {
    std::vector<float> start = masked_softmax(window.start, window);
    std::vector<float> end = masked_softmax(window.end, window);
    null_score = std::min(null_score, static_cast<double>(start[0] * end[0]));
    start[0] = end[0] = 0.0f;
    const int32_t length = window.length();
    SpanSearch search({start.begin(), start.end()}, {end.begin(), end.end()},
                      bounded_ends(length, 0, length, options.max_answer_length),
                      PairScore::kFloatProduct);
    for (int32_t k = 0; k < per_window; ++k) {
      const std::optional<ScoredPair> pair = search.next();
      if (!pair || pair->score <= 0) break;
      Candidate candidate;
      candidate.span = answer_span(window, *pair, options.align_to_words);
      candidate.text = example.slice(candidate.span);
      candidate.score = pair->score;
      candidate.start_logit = window.start[static_cast<size_t>(pair->start)];
      candidate.end_logit = window.end[static_cast<size_t>(pair->end)];
      candidate.window = window.window;
      candidate.start_token = pair->start;
      candidate.end_token = pair->end;
      merged.add(std::move(candidate));
    }
  }
  DecodedExample result;
  result.candidates = std::move(merged.answers);
  if (options.null_answers && !example.windows.empty()) {
    result.candidates.emplace_back().score = null_score;
  }
  // If no token can be an answer, the original has only fillers of score 0 left, merged to the
  // empty answer.
  if (result.candidates.empty() && !example.windows.empty()) result.candidates.emplace_back();
  std::stable_sort(result.candidates.begin(), result.candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  const auto best = std::find_if(result.candidates.begin(), result.candidates.end(),
                                 [](const Candidate& c) { return !c.text.empty(); });
  if (best != result.candidates.end()) {
    result.best_non_null = best->text;
    // Log odds, so that thresholds mean the same in every decoder; a probability of 0 stays finite.
    constexpr double kTiny = 1e-300;
    result.null_odds =
        std::log(std::max(null_score, kTiny)) - std::log(std::max(best->score, kTiny));
  } else {
    result.null_odds = kNoSpanOdds;
  }
  if (result.candidates.size() > static_cast<size_t>(options.top_k)) {
    result.candidates.resize(static_cast<size_t>(options.top_k));
  }
  if (!result.candidates.empty()) result.prediction = result.candidates.front();
  return result;
}

}  // namespace spanforge
