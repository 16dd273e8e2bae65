#pragma once
// Terms by distance (relative_terms.h) in f32, for attention_kernel.h: blocks of at most
// kQueryBlock queries with keys from a multiple of 16 on.

#include <cstdint>

#include "spanforge/ops/relative_terms.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {

template <class T>
struct AttentionHead;

// By distance, in rows of `deep`, or [D] rows of `count` where transposed. The scale is in
// `queries`.
struct RelativeTables {
  int64_t size, deep;     // D, padded
  int64_t centre, count;  // centre: the row of distance 0; distances beyond the reach are zero
  float *keys = nullptr, *keys_transposed = nullptr;
  float *queries = nullptr, *queries_transposed = nullptr;
  float* biases = nullptr;
  float *dkeys = nullptr, *dqueries = nullptr, *dbiases = nullptr;  // from zero
  float* products = nullptr;                                        // of a block or fewer keys
};

// Lays out the head's terms in scratch memory (Scratch::kRelative) until the thread's next head.
// gradients: null in a forward.
RelativeTables relative_tables(const AttentionHead<float>& head,
                               const RelativeHeadGradients* gradients);
RelativeTables relative_tables(const AttentionHead<bf16>& head,
                               const RelativeHeadGradients* gradients);

// A matrix in either orientation.
struct RelativeFactor {
  const float* data;
  int64_t row, column;  // strides
};

// Adds the terms to the block's scaled scores. q: the block's queries times the scale, rows of
// deep; k: all keys of the window.
void relative_scores_kernel(const RelativeTables& tables, const float* q, const RelativeFactor& k,
                            const ScoreBlock<float>& block);

// Of ds in the block: adds to the block's dq (before its scale) and to the window's dk, both rows
// of deep, and to the tables' gradients by distance. k: rows of deep.
void relative_gradients_kernel(const RelativeTables& tables, const float* q, const float* k,
                               const ScoreBlock<float>& block, float* dq, float* dk);

// After the window's last block: adds what came together by distance to the gradients.
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

// to[i, c] += from[i, c] for `rows` rows of n; strides may be negative. Rows are added in order.
void add_rows_kernel(const float* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride);
void add_rows_kernel(const bf16* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride);

}  // namespace spanforge::ops
