#pragma once
// Terms by distance (relative_terms.h) with products by GEMM, for attention_bf16.h. Blocks of
// queries and keys have lengths rounded up to multiples of 32; scores are unscaled.

#include "spanforge/ops/attention_kernel.h"
#include "spanforge/ops/scratch_pieces.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

inline constexpr int64_t kRounding = 32;  // GEMM sees only multiples of this
constexpr int64_t rounded(int64_t n) { return (n + kRounding - 1) / kRounding * kRounding; }

class RelativeBf16 {
 public:
  // Lays out the head's terms in scratch memory (Scratch::kRelative), where they stay until the
  // thread's next head. most_queries, most_keys: those of the largest block, rounded. gradients:
  // null in a forward pass.
  RelativeBf16(const AttentionHead<bf16>& head, const RelativeHeadGradients* gradients,
               int64_t most_queries, int64_t most_keys);

  // Adds the terms, divided by the scale, to the block's scores. q: the block's queries, rounded
  // up;
  // k: the window's keys, zero after its end.
  void add_scores(const Tensor& q, const Tensor& k, const ScoreBlock<float>& block) const;
  // Takes ds of the block, which includes the scale. Adds to the block's dq (f32), to the window's
  // dk (f32) and to the tables' gradients by distance.
  void add_gradients(const Tensor& q, const Tensor& k, const ScoreBlock<bf16>& block,
                     const Tensor& dq, const Tensor& dk) const;
  // Call this after the window's last block: adds the sums by distance to the gradients.
  void finish() const;

 private:
  void cut(ScratchPieces& pieces, int64_t most_queries, int64_t most_keys);

  const AttentionHead<bf16>& head_;
  RelativeHeadGradients gradients_;
  int64_t centre_;
  Tensor keys_, queries_, biases_;     // [distances, D] bf16, [1, distances] f32
  Tensor dkeys_, dqueries_, dbiases_;  // f32
  Tensor products_, slanted_;          // f32, bf16: memory for a block with its distances
};

}  // namespace spanforge::ops
