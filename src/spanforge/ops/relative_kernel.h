#pragma once
// Terms by distance (relative_terms.h) in f32, for attention_kernel.h. Blocks have at most
// kQueryBlock queries, and their keys begin at a multiple of 16.

#include <cstdint>

#include "spanforge/ops/relative_terms.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {

template <class T>
struct AttentionHead;

// Tables by distance, with rows of `deep`; transposed ones have [D] rows of `count`. `queries`
// includes the scale.
struct RelativeTables {
  int64_t size, deep;     // D, padded
  int64_t centre, count;  // centre: the row of distance 0; distances beyond the reach are zero
  float *keys = nullptr, *keys_transposed = nullptr;
  float *queries = nullptr, *queries_transposed = nullptr;
  float* biases = nullptr;
  float *dkeys = nullptr, *dqueries = nullptr, *dbiases = nullptr;  // they start as zeros
  float* products = nullptr;                                        // of a block, or of fewer keys
};

// Lays out the head's terms in scratch memory (Scratch::kRelative), where they stay until the
// thread's next head. gradients: null in a forward pass.
RelativeTables relative_tables(const AttentionHead<float>& head,
                               const RelativeHeadGradients* gradients);
RelativeTables relative_tables(const AttentionHead<bf16>& head,
                               const RelativeHeadGradients* gradients);

// A matrix or its transpose.
struct RelativeFactor {
  const float* data;
  int64_t row, column;  // strides
};

// Adds the terms to the block's scaled scores. q: the block's queries times the scale, in rows of
// `deep`; k: all keys of the window.
void relative_scores_kernel(const RelativeTables& tables, const float* q, const RelativeFactor& k,
                            const ScoreBlock<float>& block);

// Takes ds of the block. Adds to the block's dq (before its scale) and to the window's dk, both in
// rows of `deep`, and to the tables' gradients by distance. k: in rows of `deep`.
void relative_gradients_kernel(const RelativeTables& tables, const float* q, const float* k,
                               const ScoreBlock<float>& block, float* dq, float* dk);

// Call this after the window's last block: adds the sums by distance to the gradients.
template <class T>
void add_relative_gradients(const RelativeTables& tables, const AttentionHead<T>& head,
                            const RelativeHeadGradients& gradients) {
  const auto add = [&](const float* from, int64_t width, int64_t n, float scale, float* to,
                       int64_t stride) {
    if (to == nullptr) return;
    add_by_rows(from, tables.centre, width, n, head.reach, head.relative.rows, scale, to, stride);
  };
  const RelativeHeadGradients& g = gradients;
  add(tables.dkeys, tables.deep, tables.size, 1.0f, g.keys, g.keys_stride);
  add(tables.dqueries, tables.deep, tables.size, head.scale, g.queries, g.queries_stride);
  add(tables.dbiases, 1, 1, 1.0f, g.biases, 1);
}

// to[i, c] += from[i, c] for `rows` rows of n values; strides may be negative. Rows are added in
// order.
void add_rows_kernel(const float* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride);
void add_rows_kernel(const bf16* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride);

}  // namespace spanforge::ops
