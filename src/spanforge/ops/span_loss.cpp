#include "spanforge/ops/span_loss.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

// Cross-entropy of one column (0 start, 1 end) of the window [begin, end), and its gradient.
double cross_entropy(const Tensor& logits, int64_t begin, int64_t end, int64_t column,
                     int32_t target, double gradient_scale, const Tensor& dlogits) {
  const auto logit = [&](int64_t t) { return double{logits.row<float>(t)[column]}; };
  double largest = logit(begin);
  for (int64_t t = begin + 1; t < end; ++t) largest = std::max(largest, logit(t));
  double sum = 0;
  for (int64_t t = begin; t < end; ++t) sum += std::exp(logit(t) - largest);
  if (!dlogits.empty()) {
    for (int64_t t = begin; t < end; ++t) {
      const double probability = std::exp(logit(t) - largest) / sum;
      const double wanted = t - begin == target ? 1.0 : 0.0;
      dlogits.row<float>(t)[column] = static_cast<float>((probability - wanted) * gradient_scale);
    }
  }
  return std::log(sum) + largest - logit(begin + target);
}

void check_windows(int64_t tokens, std::span<const int32_t> cu_seqlens,
                   std::span<const int32_t> starts, std::span<const int32_t> ends) {
  require("span_loss", !cu_seqlens.empty() && cu_seqlens.front() == 0, "cu_seqlens starts at 0");
  require("span_loss", cu_seqlens.back() == tokens, "cu_seqlens ends at the number of tokens");
  const size_t windows = cu_seqlens.size() - 1;
  require("span_loss", starts.size() == windows && ends.size() == windows,
          "needs a start and an end for each window");
  for (size_t w = 0; w < windows; ++w) {
    const int32_t length = cu_seqlens[w + 1] - cu_seqlens[w];
    for (const int32_t position : {starts[w], ends[w]}) {
      if (position >= 0 && position < length) continue;
      fail("span_loss", "position " + std::to_string(position) + " does not lie in window " +
                            std::to_string(w) + " of " + std::to_string(length) + " tokens");
    }
  }
}

}  // namespace

double span_loss(const Tensor& logits, std::span<const int32_t> cu_seqlens,
                 std::span<const int32_t> start_positions, std::span<const int32_t> end_positions,
                 float gradient_scale, const Tensor& dlogits, std::span<double> window_losses) {
  require_matrix("span_loss", "logits", logits, logits.rows, 2, DType::kF32);
  if (!dlogits.empty()) {
    require_matrix("span_loss", "dlogits", dlogits, logits.rows, 2, DType::kF32);
  }
  check_windows(logits.rows, cu_seqlens, start_positions, end_positions);
  const size_t windows = cu_seqlens.size() - 1;
  require("span_loss", window_losses.empty() || window_losses.size() == windows,
          "window_losses holds one value a window");
  std::vector<double> losses(windows);
  parallel_blocks(static_cast<int64_t>(windows), 64 * logits.rows, [&](int64_t i) {
    const auto w = static_cast<size_t>(i);
    const double scale = 0.5 * gradient_scale;
    losses[w] = 0.5 * (cross_entropy(logits, cu_seqlens[w], cu_seqlens[w + 1], 0,
                                     start_positions[w], scale, dlogits) +
                       cross_entropy(logits, cu_seqlens[w], cu_seqlens[w + 1], 1, end_positions[w],
                                     scale, dlogits));
  });
  if (!window_losses.empty()) std::copy(losses.begin(), losses.end(), window_losses.begin());
  double total = 0;
  for (const double loss : losses) total += loss;
  return total;
}

}  // namespace spanforge::ops
