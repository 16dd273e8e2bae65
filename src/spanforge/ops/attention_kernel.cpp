#include "spanforge/ops/attention_kernel.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "spanforge/ops/relative_kernel.h"
#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/attention_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/dropout-inl.h"
#include "spanforge/ops/rows-inl.h"
#include "spanforge/ops/simd-inl.h"
#include "spanforge/ops/small_gemm-inl.h"

// Copies the head's slices to f32 scratch with rows of whole vectors: Q (scaled) and the other
// matrices unchanged, K and V also transposed. Then takes queries in blocks, so that a block of
// scores stays in the cache, and only with the keys that one of them sees. small_gemm-inl.h
// multiplies. relative_kernel.h adds terms by distance separately.

#ifndef SPANFORGE_OPS_ATTENTION_WIDTH
#define SPANFORGE_OPS_ATTENTION_WIDTH
namespace spanforge::ops {
namespace {

// The width of a row of scores. With a short reach, a query's keys may begin anywhere in it, so
// the last vector may end after the keys.
int64_t score_width(int64_t length, int64_t reach) {
  if (reach >= length - 1) return padded(length);
  return std::min(padded(length), padded(kQueryBlock + 2 * reach + 15)) + 16;
}

}  // namespace
}  // namespace spanforge::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

template <class T>
DropoutRow mask_of(const AttentionHead<T>& h, int64_t query) {
  return {h.dropout_threshold, h.dropout_scale, h.dropout_key, h.row_keys[query]};
}

// Zeroes a row that begins with the key `first` and has `columns`, except the given keys.
template <class T>
HWY_INLINE void clear_unseen(const KeyRange& keys, int64_t first, int64_t columns, T* row) {
  std::fill(row, row + (keys.first - first), T{});
  if (keys.end - first < columns) std::fill(row + (keys.end - first), row + columns, T{});
}

// Turns the scores of one query into exp(scale * score - largest), after dropout and before the
// division by their sum; zeros fill the last vector. Returns the sum without dropout, and sets *lse
// to the log of the sum of exp(scale * score).
template <bool kDropout, class T>
HWY_INLINE float exponentials(const float* scores, int64_t n, float scale,
                              const float* HWY_RESTRICT factors, T* p, float* lse) {
  V largest = broadcast(-HUGE_VALF);
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    V s = load(scores + j);
    if constexpr (std::is_same_v<decltype(part), Part>) {
      s = hn::IfThenElse(hn::FirstN(F(), static_cast<size_t>(part.count)), s, largest);
    }
    largest = hn::Max(largest, s);
  });
  const float top = max_of_lanes(largest) * scale;
  V sums = hn::Zero(F());
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V shifted = hn::MulSub(load(scores + j), broadcast(scale), broadcast(top));
    const V e = clip(exp_nonpositive(shifted), part);
    sums = hn::Add(sums, e);
    V kept = e;
    if constexpr (kDropout) kept = hn::Mul(e, load(factors + j));
    store(kept, p + j);
  });
  const float sum = sum_of_lanes(sums);
  *lse = top + std::log(sum);
  return sum;
}

// Dropout's factors of query i and its keys. `factors` has 64 spare floats on either side.
template <class T>
HWY_INLINE const float* factors_of(const AttentionHead<T>& h, int64_t i, const KeyRange& keys,
                                   float* factors) {
  if (h.row_keys == nullptr) return nullptr;
  const int64_t before = keys.first % 64;  // masks come in groups of 64
  dropout_factors(mask_of(h, i), h.first_column + static_cast<uint32_t>(keys.first - before),
                  keys.count() + before, factors);
  return factors + before;
}

// The same for query i of the window, with its mask. The row begins with the key `first` and has
// `columns`.
template <class H, class T>
HWY_INLINE float exponentials_of(const H& h, int64_t i, int64_t first, int64_t columns,
                                 const float* scores, float scale, float* factors, T* p) {
  const KeyRange keys = keys_of_query(h, i);
  const int64_t skipped = keys.first - first;
  const float* const kept = factors_of(h, i, keys, factors);
  const float sum = kept == nullptr ? exponentials<false>(scores + skipped, keys.count(), scale,
                                                          nullptr, p + skipped, h.lse + i)
                                    : exponentials<true>(scores + skipped, keys.count(), scale,
                                                         kept, p + skipped, h.lse + i);
  clear_unseen(keys, first, columns, p);
  return sum;
}

template <class T>
void forward(const AttentionHead<T>& h, float* memory) {
  const int64_t s = h.length;
  const int64_t wide = padded(s);
  const int64_t width = score_width(s, h.reach);
  const int64_t deep = padded(h.size);
  const int64_t block = query_block(s);
  float* const q = memory;
  float* const v = q + s * deep;
  float* const transposed = v + s * deep;
  float* const p = transposed + h.size * wide;
  float* const o = p + block * width;
  float* const factors = o + block * deep;
  float sums[kQueryBlock];
  copy_rows(h.k, h.qkv_stride, s, h.size, 1.0f, v, deep);  // v's memory first holds k
  transpose(v, deep, s, h.size, transposed, wide);
  copy_rows(h.v, h.qkv_stride, s, h.size, 1.0f, v, deep);
  copy_rows(h.q, h.qkv_stride, s, h.size, h.scale, q, deep);
  RelativeTables relative{};
  if (h.relative.any()) relative = relative_tables(h, nullptr);
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    const KeyRange keys = keys_of_block(h, begin, rows, 16);
    const float* const q_rows = q + begin * deep;
    multiply<false>({rows, padded(keys.count()), h.size, q_rows, deep, 1, transposed + keys.first,
                     wide, p, width});
    if (h.relative.any()) {
      relative_scores_kernel(relative, q_rows, {transposed, 1, wide},
                             {begin, rows, keys.first, keys.count(), p, width});
    }
    for (int64_t i = 0; i < rows; ++i) {
      float* const row = p + i * width;
      sums[i] = exponentials_of(h, begin + i, keys.first, keys.count(), row, 1.0f, factors, row);
    }
    multiply<false>({rows, deep, keys.count(), p, width, 1, v + keys.first * deep, deep, o, deep});
    for (int64_t i = 0; i < rows; ++i) {
      write_rows(o + i * deep, deep, 1, h.size, 1.0f / sums[i], h.out + (begin + i) * h.out_stride,
                 h.out_stride);
    }
  }
}

// For one query, with its scores and dP: kept = P after dropout, ds = P (dP - delta) * ds_scale.
// delta is the sum of dO O over the head. Works in place if the types allow.
template <bool kDropout, class T>
HWY_INLINE void score_gradients(const float* s, const float* dp, int64_t n, float scale, float lse,
                                float delta, float ds_scale, const float* HWY_RESTRICT factors,
                                T* kept, T* ds) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V p =
        clip(exp_nonpositive(hn::MulSub(load(s + j), broadcast(scale), broadcast(lse))), part);
    V after = p;
    V gradient = load(dp + j);
    if constexpr (kDropout) {
      const V factor = load(factors + j);
      after = hn::Mul(p, factor);
      gradient = hn::Mul(gradient, factor);
    }
    const V centred = hn::Mul(hn::Sub(gradient, broadcast(delta)), broadcast(ds_scale));
    store(after, kept + j);
    store(hn::Mul(p, centred), ds + j);
  });
}

template <class A, class B>
float dot_rows(const A* a, const B* b, int64_t n) {
  V sum = hn::Zero(F());
  for_vectors(n, [&](int64_t j, auto part)
                     HWY_ATTR { sum = hn::MulAdd(load(a + j, part), load(b + j, part), sum); });
  return sum_of_lanes(sum);
}

// score_gradients() for query i of the window, with its mask. Rows begin with the key `first` and
// have `columns`; the gradients of unscaled scores are ds_scale times as large.
template <class T, class P>
HWY_INLINE void score_gradients_of(const AttentionHead<T>& h, int64_t i, int64_t first,
                                   int64_t columns, const float* s, const float* dp, float scale,
                                   float delta, float ds_scale, float* factors, P* p, P* ds) {
  const KeyRange keys = keys_of_query(h, i);
  const int64_t at = keys.first - first;
  const float* const kept = factors_of(h, i, keys, factors);
  if (kept != nullptr) {
    score_gradients<true>(s + at, dp + at, keys.count(), scale, h.lse[i], delta, ds_scale, kept,
                          p + at, ds + at);
  } else {
    score_gradients<false>(s + at, dp + at, keys.count(), scale, h.lse[i], delta, ds_scale, kept,
                           p + at, ds + at);
  }
  clear_unseen(keys, first, columns, p);
  clear_unseen(keys, first, columns, ds);
}

template <class T>
void backward(const AttentionHead<T>& h, const AttentionHeadGradients<T>& g, float* memory) {
  const int64_t s = h.length;
  const int64_t wide = padded(s);
  const int64_t width = score_width(s, h.reach);
  const int64_t deep = padded(h.size);
  const int64_t block = query_block(s);
  float* const q = memory;
  float* const k = q + s * deep;
  float* const dout = k + s * deep;
  float* const dk = dout + s * deep;
  float* const dv = dk + s * deep;
  float* const k_transposed = dv + s * deep;
  float* const v_transposed = k_transposed + h.size * wide;
  float* const p = v_transposed + h.size * wide;
  float* const dp = p + block * width;
  float* const dq = dp + block * width;
  float* const factors = dq + block * deep;
  copy_rows(h.v, h.qkv_stride, s, h.size, 1.0f, k, deep);  // k's memory first holds v
  transpose(k, deep, s, h.size, v_transposed, wide);
  copy_rows(h.k, h.qkv_stride, s, h.size, 1.0f, k, deep);
  transpose(k, deep, s, h.size, k_transposed, wide);
  copy_rows(h.q, h.qkv_stride, s, h.size, h.scale, q, deep);
  copy_rows(g.dout, g.dout_stride, s, h.size, 1.0f, dout, deep);
  std::fill_n(dk, 2 * s * deep, 0.0f);
  RelativeTables relative{};
  if (h.relative.any()) relative = relative_tables(h, &g.relative);
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    const KeyRange keys = keys_of_block(h, begin, rows, 16);
    const int64_t n = keys.count();
    const float* const q_rows = q + begin * deep;
    const float* const dout_rows = dout + begin * deep;
    const int64_t at = keys.first * deep;
    multiply<false>(
        {rows, padded(n), h.size, q_rows, deep, 1, k_transposed + keys.first, wide, p, width});
    multiply<false>(
        {rows, padded(n), h.size, dout_rows, deep, 1, v_transposed + keys.first, wide, dp, width});
    if (h.relative.any()) {
      relative_scores_kernel(relative, q_rows, {k, deep, 1},
                             {begin, rows, keys.first, n, p, width});
    }
    for (int64_t i = 0; i < rows; ++i) {
      const T* const out_row = h.out + (begin + i) * h.out_stride;
      const float delta = dot_rows(out_row, dout_rows + i * deep, h.size);
      float* const p_row = p + i * width;
      float* const dp_row = dp + i * width;
      score_gradients_of(h, begin + i, keys.first, n, p_row, dp_row, 1.0f, delta, 1.0f, factors,
                         p_row, dp_row);
    }
    multiply<true>({n, deep, rows, p, 1, width, dout_rows, deep, dv + at, deep});
    multiply<true>({n, deep, rows, dp, 1, width, q_rows, deep, dk + at, deep});
    multiply<false>({rows, deep, n, dp, width, 1, k + at, deep, dq, deep});
    if (h.relative.any()) {
      relative_gradients_kernel(relative, q_rows, k, {begin, rows, keys.first, n, dp, width}, dq,
                                dk);
    }
    write_rows(dq, deep, rows, h.size, h.scale, g.dq + begin * g.dqkv_stride, g.dqkv_stride);
  }
  write_rows(dk, deep, s, h.size, 1.0f, g.dk, g.dqkv_stride);
  write_rows(dv, deep, s, h.size, 1.0f, g.dv, g.dqkv_stride);
  if (h.relative.any()) add_relative_gradients(relative, h, g.relative);
}

}  // namespace

void exponential_rows(const AttentionHead<bf16>& h, const BlockOfRows& b, const float* scores,
                      float* factors, bf16* p, float* sums) {
  for (int64_t i = 0; i < b.rows; ++i) {
    const int64_t at = i * b.width;
    sums[i] = exponentials_of(h, b.first + i, b.first_key, b.columns, scores + at, h.scale, factors,
                              p + at);
  }
}

void divide_rows(const float* from, int64_t rows, int64_t n, const float* sums, bf16* to,
                 int64_t stride) {
  for (int64_t i = 0; i < rows; ++i) {
    const V share = broadcast(1.0f / sums[i]);
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Mul(load(from + i * n + j, part), share), to + i * stride + j, part);
    });
  }
}

void score_gradients_rows(const AttentionHead<bf16>& h, const AttentionHeadGradients<bf16>& g,
                          const BlockOfRows& b, const float* scores, const float* dp,
                          float* factors, bf16* p, bf16* ds) {
  for (int64_t i = 0; i < b.rows; ++i) {
    const int64_t query = b.first + i;
    const int64_t at = i * b.width;
    const float delta =
        dot_rows(h.out + query * h.out_stride, g.dout + query * g.dout_stride, h.size);
    score_gradients_of(h, query, b.first_key, b.columns, scores + at, dp + at, h.scale, delta,
                       h.scale, factors, p + at, ds + at);
  }
}

void forward_f32(const AttentionHead<float>& head, float* memory) { forward(head, memory); }
void forward_bf16(const AttentionHead<bf16>& head, float* memory) { forward(head, memory); }
void backward_f32(const AttentionHead<float>& head, const AttentionHeadGradients<float>& gradients,
                  float* memory) {
  backward(head, gradients, memory);
}
void backward_bf16(const AttentionHead<bf16>& head, const AttentionHeadGradients<bf16>& gradients,
                   float* memory) {
  backward(head, gradients, memory);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);
HWY_EXPORT(exponential_rows);
HWY_EXPORT(divide_rows);
HWY_EXPORT(score_gradients_rows);

int64_t attention_scratch(int64_t length, int64_t size, int64_t reach) {
  const int64_t deep = padded(size);
  const int64_t block = query_block(length);
  return 2 * length * deep + size * padded(length) + block * (score_width(length, reach) + deep) +
         padded(length) + 128;
}
int64_t attention_backward_scratch(int64_t length, int64_t size, int64_t reach) {
  const int64_t deep = padded(size);
  const int64_t block = query_block(length);
  return 5 * length * deep + 2 * size * padded(length) +
         block * (2 * score_width(length, reach) + deep) + padded(length) + 128;
}

void attention_kernel(const AttentionHead<float>& head, float* memory) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(head, memory);
}
void attention_kernel(const AttentionHead<bf16>& head, float* memory) {
  HWY_DYNAMIC_DISPATCH(forward_bf16)(head, memory);
}
void attention_backward_kernel(const AttentionHead<float>& head,
                               const AttentionHeadGradients<float>& gradients, float* memory) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(head, gradients, memory);
}
void attention_backward_kernel(const AttentionHead<bf16>& head,
                               const AttentionHeadGradients<bf16>& gradients, float* memory) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)(head, gradients, memory);
}
void exponentials_kernel(const AttentionHead<bf16>& head, const BlockOfRows& block,
                         const float* scores, float* factors, bf16* p, float* sums) {
  HWY_DYNAMIC_DISPATCH(exponential_rows)(head, block, scores, factors, p, sums);
}
void divide_rows_kernel(const float* from, int64_t rows, int64_t n, const float* sums, bf16* to,
                        int64_t stride) {
  HWY_DYNAMIC_DISPATCH(divide_rows)(from, rows, n, sums, to, stride);
}
void score_gradients_kernel(const AttentionHead<bf16>& head,
                            const AttentionHeadGradients<bf16>& gradients, const BlockOfRows& block,
                            const float* scores, const float* dp, float* factors, bf16* p,
                            bf16* ds) {
  HWY_DYNAMIC_DISPATCH(score_gradients_rows)
  (head, gradients, block, scores, dp, factors, p, ds);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
