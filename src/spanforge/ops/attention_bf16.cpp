#include "spanforge/ops/attention_bf16.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "spanforge/ops/gemm.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kRounding = 32;  // lengths GEMM sees are multiples of this
constexpr int64_t kQueries = 128;  // taken together, so that their scores stay in the cache

int64_t rounded(int64_t n) { return (n + kRounding - 1) / kRounding * kRounding; }

// Pieces of one buffer, each aligned.
class Pieces {
 public:
  explicit Pieces(int64_t bytes) : next_(scratch<std::byte>(Scratch::kWorker, bytes)) {}
  template <class T>
  Tensor cut(int64_t rows, int64_t cols) {
    const Tensor t = make_tensor(static_cast<T*>(static_cast<void*>(next_)), rows, cols);
    next_ += bytes<T>(rows, cols);
    return t;
  }
  template <class T>
  static int64_t bytes(int64_t rows, int64_t cols) {
    return (rows * cols * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
  }

 private:
  std::byte* next_;
};

// A copy of the head's rows, zero below them.
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

}  // namespace

void attention_bf16(const AttentionHead<bf16>& h) {
  const int64_t s = h.length;
  const int64_t wide = rounded(s);
  const int64_t block = std::min(wide, kQueries);
  Pieces pieces(3 * Pieces::bytes<bf16>(wide, h.size) + Pieces::bytes<float>(block, wide) +
                Pieces::bytes<bf16>(block, wide) + Pieces::bytes<float>(block, h.size) +
                Pieces::bytes<float>(1, wide + 64));
  const Tensor q = pieces.cut<bf16>(wide, h.size), k = pieces.cut<bf16>(wide, h.size);
  const Tensor v = pieces.cut<bf16>(wide, h.size);
  const Tensor scores = pieces.cut<float>(block, wide), p = pieces.cut<bf16>(block, wide);
  const Tensor out = pieces.cut<float>(block, h.size), factors = pieces.cut<float>(1, wide + 64);
  std::array<float, kQueries> sums;
  copy_in(h.q, h.qkv_stride, s, q);
  copy_in(h.k, h.qkv_stride, s, k);
  copy_in(h.v, h.qkv_stride, s, v);
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    const int64_t taken = std::min(block, wide - begin);  // rows rounded up
    gemm(q.row_range(begin, taken), k, scores.row_range(0, taken), kTransposedB);
    exponentials_kernel(h, begin, rows, scores.as<float>(), wide, factors.as<float>(), p.as<bf16>(),
                        sums.data());
    gemm(p.row_range(0, taken), v, out.row_range(0, taken));
    divide_rows_kernel(out.as<float>(), rows, h.size, sums.data(), h.out + begin * h.out_stride,
                       h.out_stride);
  }
}

void attention_backward_bf16(const AttentionHead<bf16>& h, const AttentionHeadGradients<bf16>& g) {
  const int64_t s = h.length;
  const int64_t wide = rounded(s);
  const int64_t block = std::min(wide, kQueries);
  Pieces pieces(4 * Pieces::bytes<bf16>(wide, h.size) + 2 * Pieces::bytes<float>(wide, h.size) +
                2 * Pieces::bytes<float>(block, wide) + 2 * Pieces::bytes<bf16>(block, wide) +
                Pieces::bytes<bf16>(block, h.size) + Pieces::bytes<float>(1, wide + 64));
  const Tensor q = pieces.cut<bf16>(wide, h.size), k = pieces.cut<bf16>(wide, h.size);
  const Tensor v = pieces.cut<bf16>(wide, h.size), dout = pieces.cut<bf16>(wide, h.size);
  const Tensor dk = pieces.cut<float>(wide, h.size), dv = pieces.cut<float>(wide, h.size);
  const Tensor scores = pieces.cut<float>(block, wide), dp = pieces.cut<float>(block, wide);
  const Tensor p = pieces.cut<bf16>(block, wide), ds = pieces.cut<bf16>(block, wide);
  const Tensor dq = pieces.cut<bf16>(block, h.size), factors = pieces.cut<float>(1, wide + 64);
  copy_in(h.q, h.qkv_stride, s, q);
  copy_in(h.k, h.qkv_stride, s, k);
  copy_in(h.v, h.qkv_stride, s, v);
  copy_in(g.dout, g.dout_stride, s, dout);
  GemmOptions transposed_a{.a = Transpose::kYes};
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    const int64_t taken = std::min(block, wide - begin);
    const Tensor q_rows = q.row_range(begin, taken), dout_rows = dout.row_range(begin, taken);
    const Tensor p_rows = p.row_range(0, taken), ds_rows = ds.row_range(0, taken);
    gemm(q_rows, k, scores.row_range(0, taken), kTransposedB);
    gemm(dout_rows, v, dp.row_range(0, taken), kTransposedB);
    score_gradients_kernel(h, g, begin, rows, scores.as<float>(), dp.as<float>(), wide,
                           factors.as<float>(), p.as<bf16>(), ds.as<bf16>());
    clear_rows(p_rows, rows);
    clear_rows(ds_rows, rows);
    transposed_a.accumulate = begin > 0;
    gemm(p_rows, dout_rows, dv, transposed_a);
    gemm(ds_rows, q_rows, dk, transposed_a);
    gemm(ds_rows, k, dq.row_range(0, taken));
    copy_out(dq, rows, g.dq + begin * g.dqkv_stride, g.dqkv_stride);
  }
  narrow_out(dk, s, g.dk, g.dqkv_stride);
  narrow_out(dv, s, g.dv, g.dqkv_stride);
}

}  // namespace spanforge::ops
