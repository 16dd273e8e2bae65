#include "spanforge/ops/attention_kernel.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/attention_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/dropout-inl.h"
#include "spanforge/ops/simd-inl.h"
#include "spanforge/ops/small_gemm-inl.h"

// The head's slices are copied to f32 scratch with rows of whole vectors: Q (scaled) and the other
// matrices as they are, K and V also transposed. Queries are then taken in blocks, so that a block
// of scores stays in the cache; products are small_gemm-inl.h's.

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

// to[r, 0 .. n) = from[r, 0 .. n) * scale, zero in the rest of the last vector.
template <class T>
void copy_rows(const T* from, int64_t stride, int64_t rows, int64_t n, float scale, float* to,
               int64_t width) {
  const V factor = broadcast(scale);
  for (int64_t r = 0; r < rows; ++r) {
    float* const row = to + r * width;
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Mul(load(from + r * stride + j, part), factor), row + j);
    });
  }
}

// to[c, r] = from[r, c] with rows of `width`, zero beyond `rows`.
void transpose(const float* from, int64_t from_width, int64_t rows, int64_t columns, float* to,
               int64_t width) {
  for (int64_t c = 0; c < columns; ++c) {
    float* const row = to + c * width;
    for (int64_t r = 0; r < rows; ++r) row[r] = from[r * from_width + c];
    std::fill(row + rows, row + width, 0.0f);
  }
}

template <class T>
void write_rows(const float* from, int64_t width, int64_t rows, int64_t n, float scale, T* to,
                int64_t stride) {
  const V factor = broadcast(scale);
  for (int64_t r = 0; r < rows; ++r) {
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Mul(load(from + r * width + j), factor), to + r * stride + j, part);
    });
  }
}

template <class T>
DropoutRow mask_of(const AttentionHead<T>& h, int64_t query) {
  return {h.dropout_threshold, h.dropout_scale, h.dropout_key, h.row_keys[query]};
}

// Scores of one query to exp(scale * score - largest), after dropout and before the division by
// their sum; zero in the rest of the last vector. Returns that sum, without dropout, and sets *lse
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

// The same for query `i` of the window, with its mask.
template <class H, class T>
HWY_INLINE float exponentials_of(const H& h, int64_t i, const float* scores, float scale,
                                 float* factors, T* p) {
  if (h.row_keys == nullptr) {
    return exponentials<false>(scores, h.length, scale, nullptr, p, h.lse + i);
  }
  dropout_factors(mask_of(h, i), h.first_column, h.length, factors);
  return exponentials<true>(scores, h.length, scale, factors, p, h.lse + i);
}

template <class T>
void forward(const AttentionHead<T>& h, float* memory) {
  const int64_t s = h.length;
  const int64_t wide = padded(s);
  const int64_t deep = padded(h.size);
  const int64_t block = query_block(s);
  float* const q = memory;
  float* const v = q + s * deep;
  float* const transposed = v + s * deep;
  float* const p = transposed + h.size * wide;
  float* const o = p + block * wide;
  float* const factors = o + block * deep;
  float sums[kQueryBlock];
  copy_rows(h.k, h.qkv_stride, s, h.size, 1.0f, v, deep);  // v's place serves k first
  transpose(v, deep, s, h.size, transposed, wide);
  copy_rows(h.v, h.qkv_stride, s, h.size, 1.0f, v, deep);
  copy_rows(h.q, h.qkv_stride, s, h.size, h.scale, q, deep);
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    multiply<false>({rows, wide, h.size, q + begin * deep, deep, 1, transposed, wide, p, wide});
    for (int64_t i = 0; i < rows; ++i) {
      float* const row = p + i * wide;
      sums[i] = exponentials_of(h, begin + i, row, 1.0f, factors, row);
    }
    multiply<false>({rows, deep, s, p, wide, 1, v, deep, o, deep});
    for (int64_t i = 0; i < rows; ++i) {
      write_rows(o + i * deep, deep, 1, h.size, 1.0f / sums[i], h.out + (begin + i) * h.out_stride,
                 h.out_stride);
    }
  }
}

// For one query, with its scores and dP: kept = P after dropout, ds = P (dP - delta) * ds_scale.
// delta is the sum of dO O over the head. In place where the types allow.
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

template <class T>
void backward(const AttentionHead<T>& h, const AttentionHeadGradients<T>& g, float* memory) {
  const int64_t s = h.length;
  const int64_t wide = padded(s);
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
  float* const dp = p + block * wide;
  float* const dq = dp + block * wide;
  float* const factors = dq + block * deep;
  copy_rows(h.v, h.qkv_stride, s, h.size, 1.0f, k, deep);  // k's place serves v first
  transpose(k, deep, s, h.size, v_transposed, wide);
  copy_rows(h.k, h.qkv_stride, s, h.size, 1.0f, k, deep);
  transpose(k, deep, s, h.size, k_transposed, wide);
  copy_rows(h.q, h.qkv_stride, s, h.size, h.scale, q, deep);
  copy_rows(g.dout, g.dout_stride, s, h.size, 1.0f, dout, deep);
  std::fill_n(dk, 2 * s * deep, 0.0f);
  for (int64_t begin = 0; begin < s; begin += block) {
    const int64_t rows = std::min(block, s - begin);
    const float* const q_rows = q + begin * deep;
    const float* const dout_rows = dout + begin * deep;
    multiply<false>({rows, wide, h.size, q_rows, deep, 1, k_transposed, wide, p, wide});
    multiply<false>({rows, wide, h.size, dout_rows, deep, 1, v_transposed, wide, dp, wide});
    for (int64_t i = 0; i < rows; ++i) {
      const T* const out_row = h.out + (begin + i) * h.out_stride;
      const float delta = dot_rows(out_row, dout_rows + i * deep, h.size);
      const float lse = h.lse[begin + i];
      float* const p_row = p + i * wide;
      float* const dp_row = dp + i * wide;
      if (h.row_keys != nullptr) {
        dropout_factors(mask_of(h, begin + i), h.first_column, s, factors);
        score_gradients<true>(p_row, dp_row, s, 1.0f, lse, delta, 1.0f, factors, p_row, dp_row);
      } else {
        score_gradients<false>(p_row, dp_row, s, 1.0f, lse, delta, 1.0f, factors, p_row, dp_row);
      }
    }
    multiply<true>({s, deep, rows, p, 1, wide, dout_rows, deep, dv, deep});
    multiply<true>({s, deep, rows, dp, 1, wide, q_rows, deep, dk, deep});
    multiply<false>({rows, deep, s, dp, wide, 1, k, deep, dq, deep});
    write_rows(dq, deep, rows, h.size, h.scale, g.dq + begin * g.dqkv_stride, g.dqkv_stride);
  }
  write_rows(dk, deep, s, h.size, 1.0f, g.dk, g.dqkv_stride);
  write_rows(dv, deep, s, h.size, 1.0f, g.dv, g.dqkv_stride);
}

// Rows of scores to bf16 probabilities; beyond the last vector's end the row is cleared.
void clear_tail(bf16* row, int64_t n, int64_t width) {
  const int64_t end = (n + lanes() - 1) / lanes() * lanes();
  if (end < width) std::fill(row + end, row + width, bf16{});
}

}  // namespace

void exponential_rows(const AttentionHead<bf16>& h, int64_t first, int64_t rows,
                      const float* scores, int64_t width, float* factors, bf16* p, float* sums) {
  for (int64_t i = 0; i < rows; ++i) {
    bf16* const row = p + i * width;
    sums[i] = exponentials_of(h, first + i, scores + i * width, h.scale, factors, row);
    clear_tail(row, h.length, width);
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
                          int64_t first, int64_t rows, const float* scores, const float* dp,
                          int64_t width, float* factors, bf16* p, bf16* ds) {
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t query = first + i;
    const float delta =
        dot_rows(h.out + query * h.out_stride, g.dout + query * g.dout_stride, h.size);
    const float* const s_row = scores + i * width;
    const float* const dp_row = dp + i * width;
    if (h.row_keys != nullptr) {
      dropout_factors(mask_of(h, query), h.first_column, h.length, factors);
      score_gradients<true>(s_row, dp_row, h.length, h.scale, h.lse[query], delta, h.scale, factors,
                            p + i * width, ds + i * width);
    } else {
      score_gradients<false>(s_row, dp_row, h.length, h.scale, h.lse[query], delta, h.scale,
                             factors, p + i * width, ds + i * width);
    }
    clear_tail(p + i * width, h.length, width);
    clear_tail(ds + i * width, h.length, width);
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

int64_t attention_scratch(int64_t length, int64_t size) {
  const int64_t wide = padded(length);
  const int64_t deep = padded(size);
  const int64_t block = query_block(length);
  return 2 * length * deep + size * wide + block * (wide + deep) + wide + 64;
}
int64_t attention_backward_scratch(int64_t length, int64_t size) {
  const int64_t wide = padded(length);
  const int64_t deep = padded(size);
  const int64_t block = query_block(length);
  return 5 * length * deep + 2 * size * wide + block * (2 * wide + deep) + wide + 64;
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
void exponentials_kernel(const AttentionHead<bf16>& head, int64_t first, int64_t rows,
                         const float* scores, int64_t width, float* factors, bf16* p, float* sums) {
  HWY_DYNAMIC_DISPATCH(exponential_rows)(head, first, rows, scores, width, factors, p, sums);
}
void divide_rows_kernel(const float* from, int64_t rows, int64_t n, const float* sums, bf16* to,
                        int64_t stride) {
  HWY_DYNAMIC_DISPATCH(divide_rows)(from, rows, n, sums, to, stride);
}
void score_gradients_kernel(const AttentionHead<bf16>& head,
                            const AttentionHeadGradients<bf16>& gradients, int64_t first,
                            int64_t rows, const float* scores, const float* dp, int64_t width,
                            float* factors, bf16* p, bf16* ds) {
  HWY_DYNAMIC_DISPATCH(score_gradients_rows)
  (head, gradients, first, rows, scores, dp, width, factors, p, ds);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
