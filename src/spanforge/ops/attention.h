#pragma once
// Multi-head self-attention over packed sequences: tokens attend within their own window only, so
// there is no mask and no padding. softmax(Q K^T / sqrt(D)) with dropout on the probabilities.
// The backward recomputes probabilities from q, k and the saved log-sum-exp; no S x S tensor
// outlives a window and head.

#include <cstdint>
#include <span>

#include "spanforge/ops/dropout.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct AttentionShape {
  std::span<const int32_t> cu_seqlens;  // [W+1]
  int32_t heads = 1;                    // A; D = H / A
  float scale = 1.0f;                   // 1 / sqrt(D)
};

// Dropout: the row key is the query token's, the column is head * 2^16 + key position.
void attention(const Tensor& qkv,  // [T,3H]: Q, K, V side by side, heads side by side in each
               const AttentionShape& shape, const Dropout& dropout,
               const Tensor& out,   // [T,H]
               const Tensor& lse);  // [A,T] f32, log-sum-exp of each query's scores

void attention_backward(const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                        const AttentionShape& shape, const Dropout& dropout,
                        const Tensor& dqkv);  // [T,3H], overwritten

}  // namespace spanforge::ops
