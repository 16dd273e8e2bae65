#pragma once
// Multi-head self-attention over packed sequences: tokens attend only within their own window, so
// there is no mask and no padding. softmax(Q K^T / sqrt(D)) with dropout on the probabilities.
// The backward recomputes probabilities from q, k and the saved log-sum-exp; no S x S tensor is
// kept after its window and head. Scores may depend on the distance of two tokens: attention may be
// limited to near tokens (Beltagy et al. 2020), and terms may be added by distance (Raffel et al.
// 2020, He et al. 2021).

#include <cstdint>
#include <span>

#include "spanforge/ops/dropout.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Adds to the score of query i and key j what row r of these tables says. The tables have R rows.
struct RelativeTerms {
  // [2M-1], M at least the longest window. rows[i - j + M - 1] is r for the distance i - j.
  std::span<const int32_t> rows;
  // Each of these may be empty.
  Tensor keys;     // [R,H], dtype of qkv: adds scale * q_i . keys[r]
  Tensor queries;  // [R,H], dtype of qkv: adds scale * k_j . queries[r]
  Tensor biases;   // [A,R] f32: adds biases[head, r], unscaled

  bool any() const { return !rows.empty(); }
};

struct AttentionShape {
  std::span<const int32_t> cu_seqlens;  // [W+1]
  int32_t heads = 1;                    // A; D = H / A
  float scale = 1.0f;                   // 1 / sqrt(D)
  int32_t reach = -1;                   // query i sees keys j with |i - j| <= reach; -1: all
  RelativeTerms relative;
};

// Dropout: the row key is that of the query token, the column is head * 2^16 + key position.
void attention(const Tensor& qkv,  // [T,3H]: Q, K, V in columns; in each, the heads in columns
               const AttentionShape& shape, const Dropout& dropout,
               const Tensor& out,   // [T,H]
               const Tensor& lse);  // [A,T] f32, log-sum-exp of each query's scores

// Gradients of RelativeTerms, f32, added to the old ones. An empty one is not computed.
struct RelativeGradients {
  Tensor keys, queries;  // [R,H]
  Tensor biases;         // [A,R]
};

void attention_backward(const Tensor& dout, const Tensor& qkv, const Tensor& out, const Tensor& lse,
                        const AttentionShape& shape, const Dropout& dropout,
                        const Tensor& dqkv,  // [T,3H], overwritten
                        const RelativeGradients& drelative = {});

}  // namespace spanforge::ops
