#include "spanforge/ops/relative_bf16.h"

#include <algorithm>

#include "spanforge/ops/gemm.h"
#include "spanforge/ops/relative_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kKeysTogether = 64;  // their queries' terms are computed at the same time
// How far beyond the reach products look: a block's first key is up to 31 places before the first
// key that is seen, its rows are up to 127 apart, and widths are rounded up.
constexpr int64_t kMargin = 192;

constexpr GemmOptions kByTransposed{.b = Transpose::kYes};
constexpr GemmOptions kAdd{.accumulate = true};
constexpr GemmOptions kTransposedAAdd{.a = Transpose::kYes, .accumulate = true};

Tensor lay_out(const bf16* table, int64_t stride, const int32_t* rows, int64_t reach,
               int64_t centre, const Tensor& to) {
  std::fill_n(to.as<bf16>(), to.size(), bf16{});
  for (int64_t x = -reach; x <= reach; ++x) {
    std::copy_n(table + rows[-x] * stride, to.cols, to.row<bf16>(centre + x));
  }
  return to;
}

}  // namespace

RelativeBf16::RelativeBf16(const AttentionHead<bf16>& head, const RelativeHeadGradients* gradients,
                           int64_t most_queries, int64_t most_keys)
    : head_(head), centre_(rounded(head.reach) + kMargin) {
  if (gradients != nullptr) gradients_ = *gradients;
  ScratchPieces measure;
  cut(measure, most_queries, most_keys);
  ScratchPieces pieces(Scratch::kRelative, measure.bytes());
  cut(pieces, most_queries, most_keys);
  const RelativeHead<bf16>& r = head.relative;
  if (r.keys != nullptr) lay_out(r.keys, r.keys_stride, r.rows, head.reach, centre_, keys_);
  if (r.queries != nullptr) {
    lay_out(r.queries, r.queries_stride, r.rows, head.reach, centre_, queries_);
  }
  if (r.biases != nullptr) {
    float* const biases = biases_.as<float>();
    std::fill_n(biases, biases_.cols, 0.0f);
    for (int64_t x = -head.reach; x <= head.reach; ++x) {
      biases[centre_ + x] = r.biases[r.rows[-x]] / head.scale;
    }
  }
  for (const Tensor* const sums : {&dkeys_, &dqueries_, &dbiases_}) {
    if (!sums->empty()) std::fill_n(sums->as<float>(), sums->size(), 0.0f);
  }
}

void RelativeBf16::cut(ScratchPieces& pieces, int64_t most_queries, int64_t most_keys) {
  const RelativeHead<bf16>& r = head_.relative;
  const int64_t distances = 2 * centre_;
  const int64_t d = head_.size;
  if (r.keys != nullptr) keys_ = pieces.cut<bf16>(distances, d);
  if (r.queries != nullptr) queries_ = pieces.cut<bf16>(distances, d);
  if (r.biases != nullptr) biases_ = pieces.cut<float>(1, distances);
  if (gradients_.keys != nullptr) dkeys_ = pieces.cut<float>(distances, d);
  if (gradients_.queries != nullptr) dqueries_ = pieces.cut<float>(distances, d);
  if (gradients_.biases != nullptr) dbiases_ = pieces.cut<float>(1, distances);
  const int64_t most = std::max(most_queries * (most_queries + most_keys),
                                kKeysTogether * (most_queries + kKeysTogether));
  products_ = pieces.cut<float>(1, most);
  slanted_ = pieces.cut<bf16>(1, most);
}

void RelativeBf16::add_scores(const Tensor& q, const Tensor& k, const ScoreBlock<float>& b) const {
  const int64_t taken = q.rows;
  const int64_t least = centre_ + b.first - (b.begin + taken - 1);
  float* const products = products_.as<float>();
  if (!keys_.empty()) {
    const int64_t width = b.count + taken;
    gemm(q, keys_.row_range(least, width), make_tensor(products, taken, width), kByTransposed);
    add_rows_kernel(products + taken - 1, width - 1, b.rows, b.count, b.scores, b.stride);
  }
  if (!biases_.empty()) {
    add_rows_kernel(biases_.as<float>() + centre_ + b.first - b.begin, -1, b.rows, b.count,
                    b.scores, b.stride);
  }
  if (!queries_.empty()) {
    for (int64_t column = 0; column < b.count; column += kKeysTogether) {
      const int64_t keys = std::min(kKeysTogether, b.count - column);
      const int64_t width = keys + taken;
      gemm(k.row_range(b.first + column, keys), queries_.row_range(least + column, width),
           make_tensor(products, keys, width), kByTransposed);
      add_diagonals(products, width, taken, column, keys, b);
    }
  }
}

void RelativeBf16::add_gradients(const Tensor& q, const Tensor& k, const ScoreBlock<bf16>& b,
                                 const Tensor& dq, const Tensor& dk) const {
  const int64_t taken = q.rows;
  const int64_t least = centre_ + b.first - (b.begin + taken - 1);
  if (!keys_.empty()) {
    const int64_t width = b.count + taken;
    const Tensor slanted = make_tensor(slanted_.as<bf16>(), taken, width);
    slant(b, taken, width, slanted.as<bf16>());
    gemm(slanted, keys_.row_range(least, width), dq, kAdd);
    if (!dkeys_.empty()) gemm(slanted, q, dkeys_.row_range(least, width), kTransposedAAdd);
  }
  if (!dbiases_.empty()) {
    add_rows_kernel(b.scores, b.stride, b.rows, b.count,
                    dbiases_.as<float>() + centre_ + b.first - b.begin, -1);
  }
  if (!queries_.empty()) {
    for (int64_t column = 0; column < b.count; column += kKeysTogether) {
      const int64_t keys = std::min(kKeysTogether, b.count - column);
      const int64_t width = keys + taken;
      const Tensor slanted = make_tensor(slanted_.as<bf16>(), keys, width);
      to_diagonals(b, taken, column, keys, width, slanted.as<bf16>());
      gemm(slanted, queries_.row_range(least + column, width), dk.row_range(b.first + column, keys),
           kAdd);
      if (!dqueries_.empty()) {
        gemm(slanted, k.row_range(b.first + column, keys),
             dqueries_.row_range(least + column, width), kTransposedAAdd);
      }
    }
  }
}

void RelativeBf16::finish() const {
  const RelativeHeadGradients& g = gradients_;
  const auto add = [&](const Tensor& from, int64_t n, float scale, float* to, int64_t stride) {
    if (to == nullptr) return;
    add_by_rows(from.as<float>(), centre_, n, n, head_.reach, head_.relative.rows, scale, to,
                stride);
  };
  add(dkeys_, head_.size, 1.0f, g.keys, g.keys_stride);
  add(dqueries_, head_.size, 1.0f, g.queries, g.queries_stride);
  add(dbiases_, 1, 1.0f / head_.scale, g.biases, 1);
}

}  // namespace spanforge::ops
