#pragma once
// What attention adds to its scores by distance, for one window under one head.
//
// The tables' rows are first laid out by distance: row `centre + x` belongs to keys that come x
// places after their query (x = j - i). So no score needs an index. The products of a block of
// queries with all distances that occur in it give the keys' terms; in each following row of the
// block they are shifted left by one place. The queries' terms are products of a few keys with
// their distances, and lie on diagonals. Gradients take the same ways back and are added to the
// tables at the end.

#include <algorithm>
#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// One head's part of RelativeTerms. A term that does not exist is null.
template <class T>
struct RelativeHead {
  const int32_t* rows = nullptr;  // [d] for the distance d = i - j, also negative
  const T *keys = nullptr, *queries = nullptr;
  int64_t keys_stride = 0, queries_stride = 0;
  const float* biases = nullptr;
  bool any() const { return keys != nullptr || queries != nullptr || biases != nullptr; }
};

// One head's part of RelativeGradients. One that is not wanted is null.
struct RelativeHeadGradients {
  float *keys = nullptr, *queries = nullptr, *biases = nullptr;
  int64_t keys_stride = 0, queries_stride = 0;
};

// Scores (or their gradients) of the queries [begin, begin + rows) and the keys [first,
// first + count).
template <class T>
struct ScoreBlock {
  int64_t begin, rows, first, count;
  T* scores;
  int64_t stride;
};

// Let n = b.rows rounded up (`taken`). The least distance of a block's keys [column, ..) is
// b.first + column - (b.begin + taken - 1). `products`, in rows of `width`, are products with the
// distances from there on.

// products[i, taken-1-i + c] = block[i, c], zero elsewhere in the `taken` rows.
template <class T>
void slant(const ScoreBlock<T>& b, int64_t taken, int64_t width, T* products) {
  std::fill_n(products, taken * width, T{});
  for (int64_t i = 0; i < b.rows; ++i) {
    std::copy_n(b.scores + i * b.stride, b.count, products + i * width + taken - 1 - i);
  }
}

// block[i, column + t] += products[t, t + taken-1-i] for the keys t in [0, keys).
inline void add_diagonals(const float* products, int64_t width, int64_t taken, int64_t column,
                          int64_t keys, const ScoreBlock<float>& b) {
  for (int64_t i = 0; i < b.rows; ++i) {
    float* const to = b.scores + i * b.stride + column;
    const float* const from = products + taken - 1 - i;
    for (int64_t t = 0; t < keys; ++t) to[t] += from[t * (width + 1)];
  }
}

// The inverse: products[t, t + taken-1-i] = block[i, column + t], zero elsewhere.
template <class T>
void to_diagonals(const ScoreBlock<T>& b, int64_t taken, int64_t column, int64_t keys,
                  int64_t width, T* products) {
  std::fill_n(products, keys * width, T{});
  for (int64_t i = 0; i < b.rows; ++i) {
    const T* const from = b.scores + i * b.stride + column;
    T* const to = products + taken - 1 - i;
    for (int64_t t = 0; t < keys; ++t) to[t * (width + 1)] = from[t];
  }
}

// table[rows[-x], 0 .. n) += scale * by_distance[centre + x, 0 .. n) for |x| <= reach.
void add_by_rows(const float* by_distance, int64_t centre, int64_t width, int64_t n, int64_t reach,
                 const int32_t* rows, float scale, float* table, int64_t stride);

}  // namespace spanforge::ops
