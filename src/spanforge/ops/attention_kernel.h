#pragma once
// Attention of one window under one head, forward and backward. T: float or bf16; arithmetic f32.

#include <algorithm>
#include <cstdint>

#include "spanforge/ops/dropout_bits.h"
#include "spanforge/ops/relative_terms.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

template <class T>
struct AttentionHead {
  int64_t length;  // S, tokens of the window
  int64_t size;    // D
  int64_t reach;   // query i sees keys j with |i - j| <= reach; at most S - 1, which means all
  const T *q, *k, *v;
  int64_t qkv_stride;
  float scale;
  RelativeHead<T> relative;
  // Dropout of query i: row_keys[i], columns from first_column on. row_keys null: no dropout.
  const uint64_t* row_keys;
  uint64_t dropout_key;
  uint32_t dropout_threshold;
  float dropout_scale;
  uint32_t first_column;
  T* out;  // the backward reads it
  int64_t out_stride;
  float* lse;  // [S]; the backward reads it
};

template <class T>
struct AttentionHeadGradients {
  const T* dout;
  int64_t dout_stride;
  T *dq, *dk, *dv;
  int64_t dqkv_stride;
  RelativeHeadGradients relative;  // added to
};

struct KeyRange {
  int64_t first, end;
  int64_t count() const { return end - first; }
};
template <class T>
KeyRange keys_of_query(const AttentionHead<T>& h, int64_t query) {
  return {std::max<int64_t>(0, query - h.reach), std::min(h.length, query + h.reach + 1)};
}
// The keys that any of `rows` queries sees. The first is rounded down to a multiple of `step`.
template <class T>
KeyRange keys_of_block(const AttentionHead<T>& h, int64_t begin, int64_t rows, int64_t step) {
  return {std::max<int64_t>(0, begin - h.reach) / step * step,
          std::min(h.length, begin + rows + h.reach)};
}

// Row widths in scratch memory: whole vectors of every target.
constexpr int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }
// Queries per block.
constexpr int64_t kQueryBlock = 32;
constexpr int64_t query_block(int64_t length) {
  return length < kQueryBlock ? length : kQueryBlock;
}

// Floats of scratch memory for a call, 64-byte aligned. They grow with length and reach.
int64_t attention_scratch(int64_t length, int64_t size, int64_t reach);
int64_t attention_backward_scratch(int64_t length, int64_t size, int64_t reach);

void attention_kernel(const AttentionHead<float>& head, float* memory);
void attention_kernel(const AttentionHead<bf16>& head, float* memory);
void attention_backward_kernel(const AttentionHead<float>& head,
                               const AttentionHeadGradients<float>& gradients, float* memory);
void attention_backward_kernel(const AttentionHead<bf16>& head,
                               const AttentionHeadGradients<bf16>& gradients, float* memory);

// The steps between the products, for attention_bf16.h. The block has `rows` queries from `first`
// on. Its scores are unscaled, in rows of `width`; the first `columns` belong to the keys from
// keys_of_block()'s first on. factors: scratch, S + 128 floats.
struct BlockOfRows {
  int64_t first, rows;
  int64_t first_key, columns, width;
};
// p = dropout(exp(scale * score - largest)), zero if the query does not see the key; sums[i] is
// the divisor of row i. Writes lse.
void exponentials_kernel(const AttentionHead<bf16>& head, const BlockOfRows& block,
                         const float* scores, float* factors, bf16* p, float* sums);
// to[i] = from[i] / sums[i], row by row; rows of `from` have n values.
void divide_rows_kernel(const float* from, int64_t rows, int64_t n, const float* sums, bf16* to,
                        int64_t stride);
// p = dropout(P), from lse; ds = scale * P (dP - delta), where dp is the gradient before dropout's
// backward. Both are zero if the query does not see the key.
void score_gradients_kernel(const AttentionHead<bf16>& head,
                            const AttentionHeadGradients<bf16>& gradients, const BlockOfRows& block,
                            const float* scores, const float* dp, float* factors, bf16* p,
                            bf16* ds);

}  // namespace spanforge::ops
