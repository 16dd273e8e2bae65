#include "spanforge/model/relative.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

// transformers' MPNetEncoder.relative_position_bucket, of query less key: half of the rows for keys
// behind the query; of a half, the first half for a distance each, the others ever wider up to 128.
int32_t mpnet_row(int32_t distance) {
  constexpr int32_t kHalf = kDistanceBuckets / 2, kExact = kHalf / 2;
  constexpr double kFarthest = 128;
  const int32_t n = std::abs(distance);
  int32_t row = n;
  if (n >= kExact) {
    // In float, as torch computes it.
    const auto steps = static_cast<float>(std::log(kFarthest / kExact));
    const float far = std::log(static_cast<float>(n) / kExact) / steps * (kHalf - kExact);
    row = std::min(kExact + static_cast<int32_t>(far), kHalf - 1);
  }
  return distance < 0 ? kHalf + row : row;
}

}  // namespace

std::vector<int32_t> rows_by_distance(const EncoderSpec& spec, int32_t longest) {
  std::vector<int32_t> rows;
  if (spec.relative.kind == RelativeKind::kNone) return rows;
  for (int32_t distance = 1 - longest; distance < longest; ++distance) {
    rows.push_back(mpnet_row(distance));
  }
  return rows;
}

RelativeActivations allocate_relative(ActivationArena& arena, const RelativePart<Tensor>& w) {
  if (w.table.empty()) return {};
  return {.biases = arena.allocate<float>(w.table.cols, w.table.rows)};
}

void relative_forward(const RelativePart<Tensor>& w, const RelativeActivations& a) {
  for (int64_t head = 0; head < a.biases.rows; ++head) {
    for (int64_t r = 0; r < a.biases.cols; ++r) {
      a.biases.row<float>(head)[r] = w.table.row<float>(r)[head];  // [A,R]
    }
  }
}

ops::RelativeGradients zero_relative_gradients(ActivationArena& arena,
                                               const RelativeActivations& a) {
  const Tensor dbiases = arena.allocate<float>(a.biases.rows, a.biases.cols);
  ops::fill_zero(dbiases);
  return {.biases = dbiases};
}

void relative_backward(const ops::RelativeGradients& d, bool add_to_matrices,
                       const RelativePart<Tensor>& g) {
  for (int64_t r = 0; r < g.table.rows; ++r) {
    for (int64_t head = 0; head < g.table.cols; ++head) {
      float& sum = g.table.row<float>(r)[head];
      sum = (add_to_matrices ? sum : 0.0f) + d.biases.row<float>(head)[r];  // [R,A]
    }
  }
}

}  // namespace spanforge
