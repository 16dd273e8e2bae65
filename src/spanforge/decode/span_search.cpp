#include "spanforge/decode/span_search.h"

#include <algorithm>

namespace spanforge {

bool SpanSearch::Worse::operator()(const Node& a, const Node& b) const {
  if (a.best.score != b.best.score) return a.best.score < b.best.score;
  if (a.best.start != b.best.start) return a.best.start > b.best.start;
  return a.best.end > b.best.end;
}

SpanSearch::SpanSearch(std::vector<double> start, std::vector<double> end,
                       const std::vector<EndRange>& ends, PairScore kind)
    : start_(std::move(start)), end_(std::move(end)), kind_(kind) {
  for (size_t s = 0; s < ends.size(); ++s) push(static_cast<int32_t>(s), ends[s]);
}

double SpanSearch::score(int32_t s, int32_t e) const {
  const double a = start_[static_cast<size_t>(s)], b = end_[static_cast<size_t>(e)];
  return kind_ == PairScore::kSum ? a + b : static_cast<float>(a) * static_cast<float>(b);
}

void SpanSearch::push(int32_t start, EndRange range) {
  if (range.first >= range.last) return;
  ScoredPair best{start, range.first, score(start, range.first)};
  for (int32_t e = range.first + 1; e < range.last; ++e) {
    const double candidate = score(start, e);
    if (candidate > best.score) best = {start, e, candidate};
  }
  heap_.push({best, range});
}

std::optional<ScoredPair> SpanSearch::next() {
  if (heap_.empty()) return std::nullopt;
  const Node node = heap_.top();
  heap_.pop();
  push(node.best.start, {node.range.first, node.best.end});
  push(node.best.start, {node.best.end + 1, node.range.last});
  return node.best;
}

std::optional<double> SpanSearch::peek() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.top().best.score;
}

std::vector<EndRange> bounded_ends(int32_t tokens, int32_t first, int32_t last,
                                   int32_t max_length) {
  std::vector<EndRange> ends(static_cast<size_t>(tokens));
  for (int32_t s = first; s < last; ++s) {
    const int64_t limit = std::min<int64_t>(last, static_cast<int64_t>(s) + max_length);
    ends[static_cast<size_t>(s)] = {s, static_cast<int32_t>(limit)};
  }
  return ends;
}

}  // namespace spanforge
