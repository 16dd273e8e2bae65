#pragma once
// Terms by distance (relative_terms.h) with products by GEMM, for attention_bf16.h: blocks of
// queries and keys whose rounded lengths are multiples of 32, scores unscaled.

#include "spanforge/ops/attention_kernel.h"
#include "spanforge/ops/scratch_pieces.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

class RelativeBf16 {
 public:
  // Lays out the head's terms in scratch memory (Scratch::kRelative) until the thread's next head.
  // most_queries, most_keys: the largest block's, rounded. gradients: null in a forward.
  RelativeBf16(const AttentionHead<bf16>& head, const RelativeHeadGradients* gradients,
               int64_t most_queries, int64_t most_keys);

  // Adds the terms, divided by the scale, to the block's scores. q: the block's queries, as many as
  // rounded; k: the window's keys, zero beyond its end.
  void add_scores(const Tensor& q, const Tensor& k, const ScoreBlock<float>& block) const;
  // Of ds (which has the scale in it) in the block: adds to its dq f32, to the window's dk f32 and
  // to the tables' gradients by distance.
  void add_gradients(const Tensor& q, const Tensor& k, const ScoreBlock<bf16>& block,
                     const Tensor& dq, const Tensor& dk) const;
  // After the window's last block: adds what came together by distance to the gradients.
  void finish() const;

 private:
  void cut(ScratchPieces& pieces, int64_t most_queries, int64_t most_keys);

  const AttentionHead<bf16>& head_;
  RelativeHeadGradients gradients_;
  int64_t centre_;
  Tensor keys_, queries_, biases_;     // [distances, D] bf16, [1, distances] f32
  Tensor dkeys_, dqueries_, dbiases_;  // f32
  Tensor products_, slanted_;          // f32, bf16: memory of a block with its distances
};

}  // namespace spanforge::ops
