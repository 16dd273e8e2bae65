// The decoder of this project (docs/design/decoding.md gives the reasons).
//
// Every window w is a witness. For a span (i, j) it states the log odds against "not here",
//   z = (start[i] + end[j] - start[CLS] - end[CLS]) / temperature,
// and if the answer is (i, j), the other windows must say "not here". If the windows are
// independent, P(span) is proportional to exp(z) and P(no answer) to 1; one sum over all spans of
// all windows normalises them. If several windows contain a span, the one with the most text around
// it judges it, so nothing is counted twice.
#include <algorithm>
#include <cmath>
#include <limits>

#include "spanforge/decode/decoders.h"
#include "spanforge/decode/span_search.h"
#include "spanforge/metrics/python_text.h"

namespace spanforge {
namespace {

// The part [begin, end) of the context's tokens that a window contains.
struct Extent {
  int32_t begin = 0, end = 0;
};

std::vector<Extent> window_extents(const ExampleView& example) {
  std::vector<Extent> extents;
  int32_t begin = 0;
  for (const WindowView& window : example.windows) {
    extents.push_back({begin, begin + window.context.size()});
    begin = extents.back().end - example.window_overlap;
  }
  return extents;
}

// Context tokens in window w before and after [first, last]: the smaller of the two numbers. At the
// beginning and end of the context itself, nothing is missing.
int32_t surroundings(const std::vector<Extent>& extents, size_t w, int32_t first, int32_t last) {
  constexpr int32_t kAll = std::numeric_limits<int32_t>::max();
  const Extent& window = extents[w];
  const int32_t left = w == 0 ? kAll : first - window.begin;
  const int32_t right = w + 1 == extents.size() ? kAll : window.end - 1 - last;
  return std::min(left, right);
}

bool owns(const std::vector<Extent>& extents, size_t w, int32_t first, int32_t last) {
  const int32_t own = surroundings(extents, w, first, last);
  for (size_t v = w; v-- > 0 && extents[v].end > last;) {
    if (surroundings(extents, v, first, last) >= own) return false;
  }
  for (size_t v = w + 1; v < extents.size() && extents[v].begin <= first; ++v) {
    if (surroundings(extents, v, first, last) > own) return false;
  }
  return true;
}

// The ends that window w judges for each of its starts. They are one range: as the end moves right,
// the window has less text after it, and judging passes to later windows and never returns.
std::vector<EndRange> owned_ends(const WindowView& window, const std::vector<Extent>& extents,
                                 size_t w, int32_t max_length) {
  std::vector<EndRange> ends =
      bounded_ends(window.length(), window.context.start, window.context.end, max_length);
  const int32_t shift = extents[w].begin - window.context.start;
  for (size_t s = 0; s < ends.size(); ++s) {
    EndRange& range = ends[s];
    const int32_t first = static_cast<int32_t>(s) + shift;
    while (range.first < range.last && !owns(extents, w, first, range.first + shift)) ++range.first;
    while (range.last > range.first && !owns(extents, w, first, range.last - 1 + shift))
      --range.last;
  }
  return ends;
}

// The logarithm of the sum of exp(z) over the allowed pairs.
double log_mass(const std::vector<double>& start, const std::vector<double>& end,
                const std::vector<EndRange>& ends) {
  double top_start = -std::numeric_limits<double>::infinity(), top_end = top_start;
  for (size_t s = 0; s < ends.size(); ++s) {
    if (ends[s].first >= ends[s].last) continue;
    top_start = std::max(top_start, start[s]);
    for (int32_t e = ends[s].first; e < ends[s].last; ++e) {
      top_end = std::max(top_end, end[static_cast<size_t>(e)]);
    }
  }
  std::vector<double> end_mass(end.size());
  for (size_t e = 0; e < end.size(); ++e) end_mass[e] = std::exp(std::min(0.0, end[e] - top_end));
  double sum = 0;
  for (size_t s = 0; s < ends.size(); ++s) {
    if (ends[s].first >= ends[s].last) continue;
    double reachable = 0;
    for (int32_t e = ends[s].first; e < ends[s].last; ++e)
      reachable += end_mass[static_cast<size_t>(e)];
    sum += std::exp(start[s] - top_start) * reachable;
  }
  return sum > 0 ? top_start + top_end + std::log(sum) : -std::numeric_limits<double>::infinity();
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  if (std::isinf(top)) return top;
  return top + std::log(std::exp(a - top) + std::exp(b - top));
}

struct WindowSearch {
  const WindowView* window;
  SpanSearch spans;
};

// All windows' searches, and the logarithm of the sum of exp(z) over all spans and "no answer".
struct Joint {
  std::vector<WindowSearch> searches;
  double log_total = 0;  // "no answer" alone: log 1
};

Joint search_windows(const ExampleView& example, const DecoderOptions& options) {
  Joint joint;
  const std::vector<Extent> extents = window_extents(example);
  for (size_t w = 0; w < example.windows.size(); ++w) {
    const WindowView& window = example.windows[w];
    std::vector<double> start(window.start.size()), end(window.end.size());
    for (size_t t = 0; t < start.size(); ++t) {
      start[t] = (static_cast<double>(window.start[t]) - window.start[0]) / options.temperature;
      end[t] = (static_cast<double>(window.end[t]) - window.end[0]) / options.temperature;
    }
    const std::vector<EndRange> ends = owned_ends(window, extents, w, options.max_answer_length);
    joint.log_total = log_add(joint.log_total, log_mass(start, end, ends));
    joint.searches.push_back(
        {&window, SpanSearch(std::move(start), std::move(end), ends, PairScore::kSum)});
  }
  return joint;
}

// The most probable remaining span over all windows.
std::optional<Candidate> next_span(const ExampleView& example, Joint& joint) {
  WindowSearch* best = nullptr;
  for (WindowSearch& search : joint.searches) {
    const std::optional<double> score = search.spans.peek();
    if (score && (best == nullptr || *score > *best->spans.peek())) best = &search;
  }
  if (best == nullptr) return std::nullopt;
  const ScoredPair pair = *best->spans.next();
  const WindowView& window = *best->window;
  const auto s = static_cast<size_t>(pair.start), e = static_cast<size_t>(pair.end);
  Candidate candidate;
  candidate.score = std::exp(pair.score - joint.log_total);
  candidate.span = {window.offsets[s].start, window.offsets[e].end};
  candidate.text = example.slice(candidate.span);
  candidate.start_logit = window.start[s];
  candidate.end_logit = window.end[e];
  candidate.window = window.window;
  candidate.start_token = pair.start;
  candidate.end_token = pair.end;
  return candidate;
}

// Distinct answers. Drops a text that occurs again elsewhere, and a span that overlaps a better
// one. The probability of a dropped answer is not added to the remaining one: that made answers
// worse when it was tried (docs/design/decoding.md).
class Answers {
 public:
  void add(Candidate candidate) {  // candidates come best first
    std::string lower = python_lower(candidate.text);
    for (size_t i = 0; i < kept_.size(); ++i) {
      const CharSpan& other = kept_[i].span;
      if (candidate.span.start < other.end && other.start < candidate.span.end) return;
      if (lower == lowered_[i]) return;
    }
    kept_.push_back(std::move(candidate));
    lowered_.push_back(std::move(lower));
  }

  size_t count() const { return kept_.size(); }

  std::vector<Candidate> take() && { return std::move(kept_); }

 private:
  std::vector<Candidate> kept_;
  std::vector<std::string> lowered_;
};

}  // namespace

DecodedExample decode_spanforge(const ExampleView& example, const DecoderOptions& options) {
  const int32_t looked_at = 32 * (options.top_k + 1);  // usually enough to fill the list
  Joint joint = search_windows(example, options);
  Answers answers;
  for (int32_t i = 0; i < looked_at && answers.count() < static_cast<size_t>(options.top_k); ++i) {
    std::optional<Candidate> candidate = next_span(example, joint);
    if (!candidate) break;
    if (!candidate->text.empty()) answers.add(std::move(*candidate));
  }
  DecodedExample result;
  result.candidates = std::move(answers).take();
  const double null_score = std::exp(-joint.log_total);
  const auto odds_over = [&](const Candidate& c) {
    return c.score > 0 ? -joint.log_total - std::log(c.score) : kNoSpanOdds;
  };
  result.null_odds = result.candidates.empty() ? kNoSpanOdds : odds_over(result.candidates.front());
  if (!result.candidates.empty()) result.best_non_null = result.candidates.front().text;
  if (options.null_answers || result.candidates.empty()) {
    // No answer comes before every candidate that it beats by more than the threshold.
    const auto place =
        std::find_if(result.candidates.begin(), result.candidates.end(),
                     [&](const Candidate& c) { return odds_over(c) > options.null_threshold; });
    Candidate null;
    null.score = null_score;
    result.candidates.insert(place, null);
  }
  result.prediction = result.candidates.front();
  if (result.candidates.size() > static_cast<size_t>(options.top_k)) {
    result.candidates.resize(static_cast<size_t>(options.top_k));
  }
  return result;
}

}  // namespace spanforge
