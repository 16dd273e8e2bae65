#include "spanforge/decode/span_search.h"

#include <algorithm>
#include <bit>

namespace spanforge {

bool SpanSearch::Worse::operator()(const Node& a, const Node& b) const {
  if (a.score != b.score) return a.score < b.score;
  if (a.start != b.start) return a.start > b.start;
  return a.range.first > b.range.first;
}

SpanSearch::SpanSearch(std::vector<double> start, std::vector<double> end,
                       const std::vector<EndRange>& ends, PairScore kind)
    : start_(std::move(start)), kind_(kind) {
  end_.push_back(std::move(end));
  int32_t longest = 0;
  for (const EndRange& range : ends) longest = std::max(longest, range.last - range.first);
  make_table(longest);
  heap_.reserve(ends.size());
  for (size_t s = 0; s < ends.size(); ++s) {
    if (ends[s].first >= ends[s].last) continue;
    heap_.push_back({score(start_[s], largest_end(ends[s])), static_cast<int32_t>(s), ends[s]});
  }
  std::make_heap(heap_.begin(), heap_.end(), Worse());
}

void SpanSearch::make_table(int32_t longest_range) {
  for (int32_t width = 1; 2 * width <= longest_range; width *= 2) {
    const std::vector<double>& half = end_.back();
    std::vector<double> row(half.size() - static_cast<size_t>(width));
    for (size_t e = 0; e < row.size(); ++e) {
      row[e] = std::max(half[e], half[e + static_cast<size_t>(width)]);
    }
    end_.push_back(std::move(row));
  }
}

double SpanSearch::largest_end(EndRange range) const {
  const auto length = static_cast<uint32_t>(range.last - range.first);
  const auto level = static_cast<size_t>(std::bit_width(length)) - 1;
  const std::vector<double>& row = end_[level];
  const auto first = static_cast<size_t>(range.first);
  const size_t last = static_cast<size_t>(range.last) - (size_t{1} << level);
  return std::max(row[first], row[last]);
}

double SpanSearch::score(double start, double end) const {
  if (kind_ == PairScore::kSum) return start + end;
  return static_cast<float>(start) * static_cast<float>(end);
}

void SpanSearch::push(int32_t start, EndRange range) {
  if (range.first >= range.last) return;
  heap_.push_back({score(start_[static_cast<size_t>(start)], largest_end(range)), start, range});
  std::push_heap(heap_.begin(), heap_.end(), Worse());
}

std::optional<ScoredPair> SpanSearch::next() {
  if (heap_.empty()) return std::nullopt;
  std::pop_heap(heap_.begin(), heap_.end(), Worse());
  const Node node = heap_.back();
  heap_.pop_back();
  // Among ends with equal scores, also after rounding, the first one.
  const double start = start_[static_cast<size_t>(node.start)];
  int32_t e = node.range.first;
  while (score(start, end_.front()[static_cast<size_t>(e)]) != node.score) ++e;
  push(node.start, {node.range.first, e});
  push(node.start, {e + 1, node.range.last});
  return ScoredPair{node.start, e, node.score};
}

std::optional<double> SpanSearch::peek() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().score;
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
