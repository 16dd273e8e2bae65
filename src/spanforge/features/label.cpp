#include "spanforge/features/label.h"

#include <algorithm>

namespace spanforge {
namespace {

// Offsets of consecutive tokens never decrease, neither starts nor ends, so both searches bisect.
std::optional<LabelSpan> label_by_recipe(std::span<const CharSpan> offsets, CharSpan answer) {
  const auto first = std::partition_point(offsets.begin(), offsets.end(),
                                          [&](const CharSpan& o) { return o.end <= answer.start; });
  const auto end = std::partition_point(offsets.begin(), offsets.end(),
                                        [&](const CharSpan& o) { return o.start < answer.end; });
  if (first == offsets.end() || end == offsets.begin()) return std::nullopt;
  const auto last = end - 1;
  if (first->start > answer.start || last->end < answer.end) return std::nullopt;
  return LabelSpan{static_cast<int32_t>(first - offsets.begin()),
                   static_cast<int32_t>(last - offsets.begin())};
}

std::optional<LabelSpan> label_by_run_qa(std::span<const CharSpan> offsets, CharSpan answer) {
  if (offsets.empty() || offsets.front().start > answer.start || offsets.back().end < answer.end) {
    return std::nullopt;
  }
  const auto end = std::partition_point(offsets.begin(), offsets.end(),
                                        [&](const CharSpan& o) { return o.start <= answer.start; });
  const auto last = std::partition_point(offsets.begin(), offsets.end(),
                                         [&](const CharSpan& o) { return o.end < answer.end; });
  return LabelSpan{static_cast<int32_t>(end - offsets.begin()) - 1,
                   static_cast<int32_t>(last - offsets.begin())};
}

}  // namespace

bool is_inside_token(std::span<const CharSpan> offsets, CharSpan answer) {
  const auto first = std::partition_point(offsets.begin(), offsets.end(),
                                          [&](const CharSpan& o) { return o.end <= answer.start; });
  const auto end = std::partition_point(offsets.begin(), offsets.end(),
                                        [&](const CharSpan& o) { return o.start < answer.end; });
  return (first != offsets.end() && first->start < answer.start) ||
         (end != offsets.begin() && (end - 1)->end > answer.end);
}

std::optional<LabelSpan> label_answer(std::span<const CharSpan> offsets, CharSpan answer,
                                      LabelRule rule) {
  return rule == LabelRule::kRecipe ? label_by_recipe(offsets, answer)
                                    : label_by_run_qa(offsets, answer);
}

}  // namespace spanforge
