#include "spanforge/data/context_shift.h"

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {

ContextShift::ContextShift(std::vector<SureAnswer> sure) : sure_(std::move(sure)) {
  std::ranges::stable_sort(sure_, {}, &SureAnswer::stated);
  run_begin_.resize(sure_.size());
  run_end_.resize(sure_.size());
  for (size_t i = 0; i < sure_.size(); ++i) {
    run_begin_[i] = i > 0 && sure_[i - 1].shift == sure_[i].shift ? run_begin_[i - 1] : i;
  }
  for (size_t i = sure_.size(); i-- > 0;) {
    const bool goes_on = i + 1 < sure_.size() && sure_[i + 1].shift == sure_[i].shift;
    run_end_[i] = goes_on ? run_end_[i + 1] : i + 1;
  }
  if (sure_.empty()) return;
  common_countings_ = sure_.front().countings;
  for (const SureAnswer& one : sure_) {
    std::erase_if(common_countings_, [&](Counting counting) {
      return std::ranges::find(one.countings, counting) == one.countings.end();
    });
  }
}

std::optional<int64_t> ContextShift::common(size_t begin, size_t end) const {
  if (begin >= end || run_end_[begin] < end) return std::nullopt;
  return sure_[begin].shift;
}

// Skips kOffByOne, which is a constant shift itself.
bool ContextShift::led_elsewhere(int64_t start, const std::vector<Fit>& fits) const {
  return std::ranges::any_of(common_countings_, [&](Counting counting) {
    return counting != Counting::kOffByOne && std::ranges::none_of(fits, [&](const Fit& fit) {
             return fit.counting == counting && fit.span.start == start;
           });
  });
}

std::optional<ShiftProof> ContextShift::prove(int64_t stated, const std::vector<Fit>& fits) const {
  // std::ranges::equal_range does not compile with clang 14 and GCC 12's library.
  const auto at = std::ranges::lower_bound(sure_, stated, {}, &SureAnswer::stated);
  const auto past = std::ranges::upper_bound(sure_, stated, {}, &SureAnswer::stated);
  const auto before = static_cast<size_t>(at - sure_.begin());  // the number of answers before
  const auto next = static_cast<size_t>(past - sure_.begin());  // the first answer after
  if (before == 0 && next == sure_.size()) return std::nullopt;
  // The nearest answers on both sides, and those in between, must have one shift.
  size_t first = before, last = next;
  if (before > 0) first = nearest_begin(before);
  if (next < sure_.size()) last = nearest_end(next);
  const std::optional<int64_t> shift = common(first, last);
  if (!shift || *shift == 0) return std::nullopt;
  if (before == 0 || next == sure_.size()) {
    const bool spread = sure_.front().stated != sure_.back().stated;
    if (!spread || !common(0, sure_.size()) || led_elsewhere(stated + *shift, fits)) {
      return std::nullopt;
    }
  }
  ShiftProof proof{.shift = *shift};
  if (before > 0) {
    proof.before = static_cast<int64_t>(before - run_begin_[before - 1]);
    proof.id_before = sure_[before - 1].id;
  }
  if (next < sure_.size()) {
    proof.behind = static_cast<int64_t>(run_end_[next] - next);
    proof.id_behind = sure_[next].id;
  }
  return proof;
}

// The first of the answers with the same stated start as the last one before `end`.
size_t ContextShift::nearest_begin(size_t end) const {
  const auto at = std::ranges::lower_bound(sure_, sure_[end - 1].stated, {}, &SureAnswer::stated);
  return static_cast<size_t>(at - sure_.begin());
}

size_t ContextShift::nearest_end(size_t begin) const {
  const auto at = std::ranges::upper_bound(sure_, sure_[begin].stated, {}, &SureAnswer::stated);
  return static_cast<size_t>(at - sure_.begin());
}

std::string describe(const ShiftProof& proof, int64_t start) {
  const auto side = [](int64_t count, const std::string& id, std::string_view where) {
    return fmt::format("{} {}{}", count, where,
                       count > 0 ? fmt::format(" (nearest: {})", quote_for_message(id)) : "");
  };
  return fmt::format(
      "answer_start is off by {:+d}, as those of the answers around it that occur "
      "once are: {}, {}; the answer is at {}",
      -proof.shift, side(proof.before, proof.id_before, "before"),
      side(proof.behind, proof.id_behind, "after"), start);
}

}  // namespace spanforge
