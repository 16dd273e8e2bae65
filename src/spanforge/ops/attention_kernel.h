#pragma once
// Attention of one window under one head, forward and backward. T: float or bf16; arithmetic f32.

#include <cstdint>

#include "spanforge/ops/dropout_bits.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

template <class T>
struct AttentionHead {
  int64_t length;  // S, tokens of the window
  int64_t size;    // D
  const T *q, *k, *v;
  int64_t qkv_stride;
  float scale;
  // Dropout of query i: row_keys[i], columns from first_column on. row_keys null: none.
  const uint64_t* row_keys;
  uint64_t dropout_key;
  uint32_t dropout_threshold;
  float dropout_scale;
  uint32_t first_column;
  T* out;  // read by the backward
  int64_t out_stride;
  float* lse;  // [S]; read by the backward
};

template <class T>
struct AttentionHeadGradients {
  const T* dout;
  int64_t dout_stride;
  T *dq, *dk, *dv;
  int64_t dqkv_stride;
};

// Row widths in scratch: whole vectors of any target.
constexpr int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }
// Queries taken together.
constexpr int64_t kQueryBlock = 32;
constexpr int64_t query_block(int64_t length) {
  return length < kQueryBlock ? length : kQueryBlock;
}

// Floats of scratch a call needs, 64-byte aligned.
int64_t attention_scratch(int64_t length, int64_t size);
int64_t attention_backward_scratch(int64_t length, int64_t size);

void attention_kernel(const AttentionHead<float>& head, float* memory);
void attention_kernel(const AttentionHead<bf16>& head, float* memory);
void attention_backward_kernel(const AttentionHead<float>& head,
                               const AttentionHeadGradients<float>& gradients, float* memory);
void attention_backward_kernel(const AttentionHead<bf16>& head,
                               const AttentionHeadGradients<bf16>& gradients, float* memory);

// The parts between the products, for attention_bf16.h: `rows` queries from `first` on, whose
// scores stand unscaled in rows of `width`. factors: scratch, width + 64 floats.
// p = dropout(exp(scale * score - largest)), zero up to width; sums[i] is what divides row i, and
// lse is written.
void exponentials_kernel(const AttentionHead<bf16>& head, int64_t first, int64_t rows,
                         const float* scores, int64_t width, float* factors, bf16* p, float* sums);
// to[i] = from[i] / sums[i], row by row; from has rows of n.
void divide_rows_kernel(const float* from, int64_t rows, int64_t n, const float* sums, bf16* to,
                        int64_t stride);
// p = dropout(P), from lse; ds = scale * P (dP - delta), with dp before dropout's backward.
void score_gradients_kernel(const AttentionHead<bf16>& head,
                            const AttentionHeadGradients<bf16>& gradients, int64_t first,
                            int64_t rows, const float* scores, const float* dp, int64_t width,
                            float* factors, bf16* p, bf16* ds);

}  // namespace spanforge::ops
