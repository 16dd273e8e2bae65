#include "spanforge/ops/attention_bf16.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "spanforge/ops/gemm.h"
#include "spanforge/ops/relative_bf16.h"
#include "spanforge/ops/scratch_pieces.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kQueries = 128;  // per block, so that their scores stay in the cache

// A copy of the head's rows, with zeros after them.
void copy_in(const bf16* from, int64_t stride, int64_t rows, const Tensor& to) {
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to.row<bf16>(r), from + r * stride, static_cast<size_t>(to.cols) * sizeof(bf16));
  }
  std::fill_n(to.row<bf16>(rows), (to.rows - rows) * to.cols, bf16{});
}

void copy_out(const Tensor& from, int64_t rows, bf16* to, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(to + r * stride, from.row<bf16>(r), static_cast<size_t>(from.cols) * sizeof(bf16));
  }
}

void narrow_out(const Tensor& from, int64_t rows, bf16* to, int64_t stride) {
  for (int64_t r = 0; r < rows; ++r) convert_kernel(from.row<float>(r), to + r * stride, from.cols);
}

void clear_rows(const Tensor& t, int64_t first) {
  std::fill_n(t.row<bf16>(first), (t.rows - first) * t.cols, bf16{});
}

constexpr GemmOptions kTransposedB{.b = Transpose::kYes};

// How a head's window is divided into blocks.
struct Blocks {
  int64_t wide;   // S, rounded
  int64_t block;  // queries, rounded
  int64_t width;  // of a row of scores
  explicit Blocks(const AttentionHead<bf16>& h)
      : wide(rounded(h.length)), block(std::min(wide, kQueries)), width(wide) {
    // With a short reach, a query's keys may begin anywhere in a row, and the last vector may end
    // after them.
    if (!sees_all(h)) {
      width = std::min(wide, rounded(block + 2 * h.reach + kRounding)) + kRounding;
    }
  }
  static bool sees_all(const AttentionHead<bf16>& h) { return h.reach >= h.length - 1; }

  BlockOfRows at(const AttentionHead<bf16>& h, int64_t begin) const {
    const int64_t rows = std::min(block, h.length - begin);
    const KeyRange keys = keys_of_block(h, begin, rows, kRounding);
    return {begin, rows, keys.first, rounded(keys.count()), width};
  }
  int64_t taken(int64_t begin) const { return std::min(block, wide - begin); }  // rows rounded up
};

// The block's part of a buffer of scores.
template <class T>
ScoreBlock<T> scores_of(const BlockOfRows& b, const Tensor& scores) {
  return {b.first, b.rows, b.first_key, b.columns, scores.as<T>(), b.width};
}

std::optional<RelativeBf16> relative_of(const AttentionHead<bf16>& h,
                                        const RelativeHeadGradients* gradients,
                                        const Blocks& blocks) {
  std::optional<RelativeBf16> relative;
  if (h.relative.any()) relative.emplace(h, gradients, blocks.block, blocks.width);
  return relative;
}

}  // namespace

void attention_bf16(const AttentionHead<bf16>& h) {
  const int64_t s = h.length;
  const Blocks blocks(h);
  Tensor q, k, v, scores, p, out, factors;
  const auto cut = [&](ScratchPieces& pieces) {
    for (Tensor* const t : {&q, &k, &v}) *t = pieces.cut<bf16>(blocks.wide, h.size);
    scores = pieces.cut<float>(blocks.block, blocks.width);
    p = pieces.cut<bf16>(blocks.block, blocks.width);
    out = pieces.cut<float>(blocks.block, h.size);
    factors = pieces.cut<float>(1, blocks.wide + 128);
  };
  ScratchPieces measure;
  cut(measure);
  ScratchPieces pieces(Scratch::kWorker, measure.bytes());
  cut(pieces);
  std::array<float, kQueries> sums;
  copy_in(h.q, h.qkv_stride, s, q);
  copy_in(h.k, h.qkv_stride, s, k);
  copy_in(h.v, h.qkv_stride, s, v);
  const auto relative = relative_of(h, nullptr, blocks);
  for (int64_t begin = 0; begin < s; begin += blocks.block) {
    const BlockOfRows b = blocks.at(h, begin);
    const int64_t taken = blocks.taken(begin);
    const auto part = [&](const Tensor& t) { return t.row_range(0, taken).columns(0, b.columns); };
    gemm(q.row_range(begin, taken), k.row_range(b.first_key, b.columns), part(scores),
         kTransposedB);
    if (relative) {
      relative->add_scores(q.row_range(begin, taken), k, scores_of<float>(b, scores));
    }
    exponentials_kernel(h, b, scores.as<float>(), factors.as<float>(), p.as<bf16>(), sums.data());
    gemm(part(p), v.row_range(b.first_key, b.columns), out.row_range(0, taken));
    divide_rows_kernel(out.as<float>(), b.rows, h.size, sums.data(), h.out + begin * h.out_stride,
                       h.out_stride);
  }
}

void attention_backward_bf16(const AttentionHead<bf16>& h, const AttentionHeadGradients<bf16>& g) {
  const int64_t s = h.length;
  const Blocks blocks(h);
  const int64_t block = blocks.block;
  Tensor q, k, v, dout, dk, dv, scores, dp, p, ds, dq, dq_sums, factors;
  const auto cut = [&](ScratchPieces& pieces) {
    for (Tensor* const t : {&q, &k, &v, &dout}) *t = pieces.cut<bf16>(blocks.wide, h.size);
    for (Tensor* const t : {&dk, &dv}) *t = pieces.cut<float>(blocks.wide, h.size);
    for (Tensor* const t : {&scores, &dp}) *t = pieces.cut<float>(block, blocks.width);
    for (Tensor* const t : {&p, &ds}) *t = pieces.cut<bf16>(block, blocks.width);
    dq = pieces.cut<bf16>(block, h.size);
    if (h.relative.any()) dq_sums = pieces.cut<float>(block, h.size);
    factors = pieces.cut<float>(1, blocks.wide + 128);
  };
  ScratchPieces measure;
  cut(measure);
  ScratchPieces pieces(Scratch::kWorker, measure.bytes());
  cut(pieces);
  copy_in(h.q, h.qkv_stride, s, q);
  copy_in(h.k, h.qkv_stride, s, k);
  copy_in(h.v, h.qkv_stride, s, v);
  copy_in(g.dout, g.dout_stride, s, dout);
  const bool sees_all = Blocks::sees_all(h);
  if (!sees_all) {  // then no block has all keys, and each block adds
    for (const Tensor* const t : {&dk, &dv}) std::fill_n(t->as<float>(), t->size(), 0.0f);
  }
  const auto relative = relative_of(h, &g.relative, blocks);
  GemmOptions transposed_a{.a = Transpose::kYes};
  for (int64_t begin = 0; begin < s; begin += block) {
    const BlockOfRows b = blocks.at(h, begin);
    const int64_t taken = blocks.taken(begin);
    const auto part = [&](const Tensor& t) { return t.row_range(0, taken).columns(0, b.columns); };
    const auto seen = [&](const Tensor& t) { return t.row_range(b.first_key, b.columns); };
    const Tensor q_rows = q.row_range(begin, taken), dout_rows = dout.row_range(begin, taken);
    gemm(q_rows, seen(k), part(scores), kTransposedB);
    gemm(dout_rows, seen(v), part(dp), kTransposedB);
    if (relative) relative->add_scores(q_rows, k, scores_of<float>(b, scores));
    score_gradients_kernel(h, g, b, scores.as<float>(), dp.as<float>(), factors.as<float>(),
                           p.as<bf16>(), ds.as<bf16>());
    clear_rows(p.row_range(0, taken), b.rows);
    clear_rows(ds.row_range(0, taken), b.rows);
    transposed_a.accumulate = begin > 0 || !sees_all;
    gemm(part(p), dout_rows, seen(dv), transposed_a);
    gemm(part(ds), q_rows, seen(dk), transposed_a);
    bf16* const to = g.dq + begin * g.dqkv_stride;
    if (relative) {
      gemm(part(ds), seen(k), dq_sums.row_range(0, taken));
      relative->add_gradients(q_rows, k, scores_of<bf16>(b, ds), dq_sums.row_range(0, taken), dk);
      narrow_out(dq_sums, b.rows, to, g.dqkv_stride);
    } else {
      gemm(part(ds), seen(k), dq.row_range(0, taken));
      copy_out(dq, b.rows, to, g.dqkv_stride);
    }
  }
  narrow_out(dk, s, g.dk, g.dqkv_stride);
  narrow_out(dv, s, g.dv, g.dqkv_stride);
  if (relative) relative->finish();
}

}  // namespace spanforge::ops
