#include "spanforge/ops/rotary.h"

#include <algorithm>
#include <cmath>

#include "spanforge/ops/check.h"
#include "spanforge/ops/rotary_kernel.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

template <class T>
void rotate(const Tensor& qkv, std::span<const int32_t> cu_seqlens, int32_t heads,
            const RotaryAngles& angles, float sign) {
  parallel_rows(qkv.rows, 4, qkv.cols, [&](int64_t begin, int64_t end) {
    // The end of the token's window.
    auto next = std::upper_bound(cu_seqlens.begin(), cu_seqlens.end(), begin);
    for (int64_t t = begin; t < end; ++t) {
      while (*next <= t) ++next;
      const int64_t position = t - *(next - 1);
      // The heads of K follow those of Q.
      rotary_kernel(angles.cosines(position), angles.sines(position), sign, angles.half(),
                    2 * int64_t{heads}, qkv.row<T>(t));
    }
  });
}

void check_and_rotate(const char* op, const Tensor& qkv, std::span<const int32_t> cu_seqlens,
                      int32_t heads, const RotaryAngles& angles, float sign) {
  require_float(op, "qkv", qkv);
  require_matrix(op, "qkv", qkv, qkv.rows, qkv.cols, qkv.dtype);
  require(op, heads >= 1 && qkv.cols == 6 * heads * angles.half(),
          "qkv has Q, K and V of heads as wide as the angles");
  require(op, !cu_seqlens.empty() && cu_seqlens.front() == 0, "cu_seqlens starts at 0");
  require(op, cu_seqlens.back() == qkv.rows, "cu_seqlens ends at the number of tokens");
  for (size_t w = 1; w < cu_seqlens.size(); ++w) {
    const int64_t length = int64_t{cu_seqlens[w]} - cu_seqlens[w - 1];
    require(op, length >= 0, "cu_seqlens ascends");
    require(op, length <= angles.positions(), "a window has no more tokens than there are angles");
  }
  if (qkv.dtype == DType::kF32) {
    rotate<float>(qkv, cu_seqlens, heads, angles, sign);
  } else {
    rotate<bf16>(qkv, cu_seqlens, heads, angles, sign);
  }
}

}  // namespace

RotaryAngles::RotaryAngles(double theta, int64_t head_size, int64_t positions)
    : positions_(positions), half_(head_size / 2) {
  constexpr const char* kOp = "RotaryAngles";
  require(kOp, theta > 0 && std::isfinite(theta), "theta is positive");
  require(kOp, head_size >= 2 && head_size % 2 == 0, "head_size is even");
  require(kOp, positions >= 0, "positions is not negative");
  std::vector<float> frequencies(static_cast<size_t>(half_));
  for (int64_t t = 0; t < half_; ++t) {
    const float exponent = static_cast<float>(2 * t) / static_cast<float>(head_size);
    frequencies[static_cast<size_t>(t)] =
        1.0f / static_cast<float>(std::pow(theta, double{exponent}));
  }
  cosines_.reserve(static_cast<size_t>(positions * half_));
  sines_.reserve(static_cast<size_t>(positions * half_));
  for (int64_t p = 0; p < positions; ++p) {
    for (const float frequency : frequencies) {
      const float angle = static_cast<float>(p) * frequency;
      cosines_.push_back(static_cast<float>(std::cos(double{angle})));
      sines_.push_back(static_cast<float>(std::sin(double{angle})));
    }
  }
}

void rotate_queries_and_keys(const Tensor& qkv, std::span<const int32_t> cu_seqlens, int32_t heads,
                             const RotaryAngles& angles) {
  check_and_rotate("rotate_queries_and_keys", qkv, cu_seqlens, heads, angles, 1.0f);
}

void rotate_queries_and_keys_backward(const Tensor& dqkv, std::span<const int32_t> cu_seqlens,
                                      int32_t heads, const RotaryAngles& angles) {
  check_and_rotate("rotate_queries_and_keys_backward", dqkv, cu_seqlens, heads, angles, -1.0f);
}

}  // namespace spanforge::ops
