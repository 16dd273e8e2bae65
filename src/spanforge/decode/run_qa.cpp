#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "spanforge/decode/decoders.h"

namespace spanforge {
namespace {

struct Preliminary {
  CharSpan span;
  float score = 0, start_logit = 0, end_logit = 0;
  int32_t window = -1, start_token = 0, end_token = 0;
};

// Indexes of the n largest values, best first; among equal values the later one comes first.
std::vector<int32_t> best_indexes(std::span<const float> logits, int32_t n) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const size_t kept = std::min(order.size(), static_cast<size_t>(std::max(n, 0)));
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                    [&](int32_t a, int32_t b) {
                      const float x = logits[static_cast<size_t>(a)],
                                  y = logits[static_cast<size_t>(b)];
                      return x != y ? x > y : a > b;
                    });
  order.resize(kept);
  return order;
}

void collect(const WindowView& window, const DecoderOptions& options,
             std::vector<Preliminary>& out) {
  const std::vector<int32_t> starts = best_indexes(window.start, options.n_best_size);
  const std::vector<int32_t> ends = best_indexes(window.end, options.n_best_size);
  const auto in_context = [&](int32_t t) {
    return t >= window.context.start && t < window.context.end;
  };
  for (int32_t s : starts) {
    if (!in_context(s)) continue;
    for (int32_t e : ends) {
      if (!in_context(e) || e < s || e - s + 1 > options.max_answer_length) continue;
      const float start = window.start[static_cast<size_t>(s)];
      const float end = window.end[static_cast<size_t>(e)];
      out.push_back({{window.offsets[static_cast<size_t>(s)].start,
                      window.offsets[static_cast<size_t>(e)].end},
                     start + end,
                     start,
                     end,
                     window.window,
                     s,
                     e});
    }
  }
}

std::optional<Preliminary> smallest_null(const std::vector<WindowView>& windows) {
  std::optional<Preliminary> smallest;
  for (const WindowView& window : windows) {
    const float score = window.start[0] + window.end[0];
    if (smallest && smallest->score <= score) continue;
    smallest = Preliminary{{0, 0}, score, window.start[0], window.end[0], -1, 0, 0};
  }
  return smallest;
}

// The best n, with the null answer put back if it is not among them.
void keep_best(std::vector<Preliminary>& all, const std::optional<Preliminary>& null, int32_t n) {
  if (null) all.push_back(*null);
  std::stable_sort(all.begin(), all.end(),
                   [](const Preliminary& a, const Preliminary& b) { return a.score > b.score; });
  if (all.size() > static_cast<size_t>(std::max(n, 0)))
    all.resize(static_cast<size_t>(std::max(n, 0)));
  const auto is_null = [](const Preliminary& p) { return p.span == CharSpan{0, 0}; };
  if (null && std::none_of(all.begin(), all.end(), is_null)) all.push_back(*null);
}

// The script answers "empty" if no answer is left.
bool needs_filler(const std::vector<Candidate>& candidates, bool null_answers) {
  if (candidates.empty()) return true;
  const auto blank = [](const Candidate& c) { return c.text.empty(); };
  if (candidates.size() == 1) return blank(candidates.front());
  return null_answers && std::all_of(candidates.begin(), candidates.end(), blank);
}

// Turns scores into probabilities: softmax in float32, or in double if the filler takes part.
void scores_to_probabilities(std::vector<Candidate>& candidates, bool in_double) {
  double top = candidates.front().score;
  for (const Candidate& c : candidates) top = std::max(top, c.score);
  double sum = 0;
  for (Candidate& c : candidates) {
    c.score = std::exp(c.score - top);
    if (!in_double) c.score = static_cast<float>(c.score);
    sum += c.score;
  }
  for (Candidate& c : candidates) {
    c.score /= sum;
    if (!in_double) c.score = static_cast<float>(c.score);
  }
}

}  // namespace

DecodedExample decode_run_qa(const ExampleView& example, const DecoderOptions& options) {
  std::vector<Preliminary> kept;
  for (const WindowView& window : example.windows) collect(window, options, kept);
  const std::optional<Preliminary> null = smallest_null(example.windows);
  keep_best(kept, options.null_answers ? null : std::nullopt, options.n_best_size);

  DecodedExample result;
  for (const Preliminary& p : kept) {
    result.candidates.push_back({example.slice(p.span), p.score, p.span, p.start_logit, p.end_logit,
                                 p.window, p.start_token, p.end_token});
  }
  const bool filler = needs_filler(result.candidates, options.null_answers);
  if (filler) {
    Candidate empty;
    empty.text = "empty";
    result.candidates.insert(result.candidates.begin(), empty);
  }
  scores_to_probabilities(result.candidates, filler);

  const auto found = std::find_if(result.candidates.begin(), result.candidates.end(),
                                  [](const Candidate& c) { return !c.text.empty(); });
  const Candidate& best = found != result.candidates.end() ? *found : result.candidates.front();
  result.best_non_null = best.text;
  if (null) result.null_odds = null->score - best.start_logit - best.end_logit;  // in float32
  result.prediction = options.null_answers ? best : result.candidates.front();
  if (options.null_answers && result.null_odds > options.null_threshold) {
    const auto blank = std::find_if(result.candidates.begin(), result.candidates.end(),
                                    [](const Candidate& c) { return c.text.empty(); });
    result.prediction = blank != result.candidates.end() ? *blank : Candidate{};
  }
  return result;
}

}  // namespace spanforge
