#include "spanforge/ops/relative_kernel.h"

#include <algorithm>

#include "spanforge/ops/attention_kernel.h"
#include "spanforge/ops/scratch_pieces.h"
#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/relative_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/rows-inl.h"
#include "spanforge/ops/simd-inl.h"
#include "spanforge/ops/small_gemm-inl.h"

// How far beyond the reach products look: a block's first key is up to 15 places before the first
// key that is seen, its rows are up to 31 apart, and widths are rounded up.
#ifndef SPANFORGE_OPS_RELATIVE_CONSTANTS
#define SPANFORGE_OPS_RELATIVE_CONSTANTS
namespace spanforge::ops {
constexpr int64_t kRelativeMargin = 64;
constexpr int64_t kKeysTogether = 16;  // their queries' terms are computed at the same time
constexpr int64_t kKeysWidth = kKeysTogether + kQueryBlock;
}  // namespace spanforge::ops
#endif

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

template <class T>
void lay_out(const T* table, int64_t stride, const int32_t* rows, int64_t reach, float scale,
             const RelativeTables& t, float* natural, float* transposed) {
  std::fill_n(natural, t.count * t.deep, 0.0f);
  for (int64_t x = -reach; x <= reach; ++x) {
    copy_rows(table + rows[-x] * stride, stride, 1, t.size, scale,
              natural + (t.centre + x) * t.deep, t.deep);
  }
  transpose(natural, t.deep, t.count, t.size, transposed, t.count);
}

template <class T>
void lay_out_all(const AttentionHead<T>& h, const RelativeTables& t) {
  const RelativeHead<T>& r = h.relative;
  if (r.keys != nullptr) {
    lay_out(r.keys, r.keys_stride, r.rows, h.reach, 1.0f, t, t.keys, t.keys_transposed);
  }
  if (r.queries != nullptr) {
    lay_out(r.queries, r.queries_stride, r.rows, h.reach, h.scale, t, t.queries,
            t.queries_transposed);
  }
  if (r.biases != nullptr) {
    std::fill_n(t.biases, t.count, 0.0f);
    for (int64_t x = -h.reach; x <= h.reach; ++x) t.biases[t.centre + x] = r.biases[r.rows[-x]];
  }
}

template <class T>
void add_rows(const T* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
              int64_t to_stride) {
  for (int64_t i = 0; i < rows; ++i) {
    float* const sums = to + i * to_stride;
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Add(load(sums + j, part), load(from + i * from_stride + j, part)), sums + j, part);
    });
  }
}

}  // namespace

void lay_out_f32(const AttentionHead<float>& h, const RelativeTables& t) { lay_out_all(h, t); }
void lay_out_bf16(const AttentionHead<bf16>& h, const RelativeTables& t) { lay_out_all(h, t); }
void add_rows_f32(const float* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                  int64_t to_stride) {
  add_rows(from, from_stride, rows, n, to, to_stride);
}
void add_rows_bf16(const bf16* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                   int64_t to_stride) {
  add_rows(from, from_stride, rows, n, to, to_stride);
}

void scores(const RelativeTables& t, const float* q, const RelativeFactor& k,
            const ScoreBlock<float>& b) {
  // The row of the least distance: that of the last query to the first key.
  const int64_t least = t.centre + b.first - (b.begin + b.rows - 1);
  if (t.keys != nullptr) {
    const int64_t width = padded(b.count + b.rows - 1);
    multiply<false>({b.rows, width, t.size, q, t.deep, 1, t.keys_transposed + least, t.count,
                     t.products, width});
    add_rows(t.products + b.rows - 1, width - 1, b.rows, b.count, b.scores, b.stride);
  }
  if (t.biases != nullptr) {
    add_rows(t.biases + t.centre + b.first - b.begin, -1, b.rows, b.count, b.scores, b.stride);
  }
  if (t.queries != nullptr) {
    for (int64_t column = 0; column < b.count; column += kKeysTogether) {
      const int64_t keys = std::min(kKeysTogether, b.count - column);
      multiply<false>({keys, kKeysWidth, t.size, k.data + (b.first + column) * k.row, k.row,
                       k.column, t.queries_transposed + least + column, t.count, t.products,
                       kKeysWidth});
      add_diagonals(t.products, kKeysWidth, b.rows, column, keys, b);
    }
  }
}

void gradients(const RelativeTables& t, const float* q, const float* k, const ScoreBlock<float>& b,
               float* dq, float* dk) {
  const int64_t least = t.centre + b.first - (b.begin + b.rows - 1);
  if (t.keys != nullptr) {
    const int64_t distances = b.count + b.rows - 1;
    const int64_t width = padded(distances);
    slant(b, b.rows, width, t.products);
    multiply<true>({b.rows, t.deep, distances, t.products, width, 1, t.keys + least * t.deep,
                    t.deep, dq, t.deep});
    if (t.dkeys != nullptr) {
      multiply<true>({distances, t.deep, b.rows, t.products, 1, width, q, t.deep,
                      t.dkeys + least * t.deep, t.deep});
    }
  }
  if (t.dbiases != nullptr) {
    add_rows(b.scores, b.stride, b.rows, b.count, t.dbiases + t.centre + b.first - b.begin, -1);
  }
  if (t.queries != nullptr) {
    for (int64_t column = 0; column < b.count; column += kKeysTogether) {
      const int64_t keys = std::min(kKeysTogether, b.count - column);
      const int64_t distances = keys + b.rows - 1;
      const int64_t at = (least + column) * t.deep;
      const int64_t key = (b.first + column) * t.deep;
      to_diagonals(b, b.rows, column, keys, kKeysWidth, t.products);
      multiply<true>({keys, t.deep, distances, t.products, kKeysWidth, 1, t.queries + at, t.deep,
                      dk + key, t.deep});
      if (t.dqueries != nullptr) {
        multiply<true>({distances, t.deep, keys, t.products, 1, kKeysWidth, k + key, t.deep,
                        t.dqueries + at, t.deep});
      }
    }
  }
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(lay_out_f32);
HWY_EXPORT(lay_out_bf16);
HWY_EXPORT(add_rows_f32);
HWY_EXPORT(add_rows_bf16);
HWY_EXPORT(scores);
HWY_EXPORT(gradients);

namespace {

template <class T>
void cut(const AttentionHead<T>& head, const RelativeHeadGradients* gradients,
         ScratchPieces& pieces, RelativeTables& t) {
  const RelativeHead<T>& r = head.relative;
  const auto cut_wanted = [&](bool wanted, float*& to, int64_t floats) {
    if (wanted) to = pieces.cut<float>(floats);
  };
  const RelativeHeadGradients g = gradients != nullptr ? *gradients : RelativeHeadGradients{};
  for (float** const table : {&t.keys, &t.keys_transposed}) {
    cut_wanted(r.keys != nullptr, *table, t.count * t.deep);
  }
  for (float** const table : {&t.queries, &t.queries_transposed}) {
    cut_wanted(r.queries != nullptr, *table, t.count * t.deep);
  }
  cut_wanted(r.biases != nullptr, t.biases, t.count);
  cut_wanted(g.keys != nullptr, t.dkeys, t.count * t.deep);
  cut_wanted(g.queries != nullptr, t.dqueries, t.count * t.deep);
  cut_wanted(g.biases != nullptr, t.dbiases, t.count);
  const int64_t keys = std::min(head.length, kQueryBlock + 2 * head.reach + 15);
  t.products = pieces.cut<float>(
      std::max(kQueryBlock * padded(keys + kQueryBlock), kKeysTogether * kKeysWidth));
}

template <class T>
RelativeTables tables_of(const AttentionHead<T>& head, const RelativeHeadGradients* gradients) {
  RelativeTables t{};
  t.size = head.size;
  t.deep = padded(head.size);
  t.centre = padded(head.reach) + kRelativeMargin;
  t.count = 2 * t.centre;
  ScratchPieces measure;
  cut(head, gradients, measure, t);
  ScratchPieces pieces(Scratch::kRelative, measure.bytes());
  cut(head, gradients, pieces, t);
  if (t.dkeys != nullptr) std::fill_n(t.dkeys, t.count * t.deep, 0.0f);
  if (t.dqueries != nullptr) std::fill_n(t.dqueries, t.count * t.deep, 0.0f);
  if (t.dbiases != nullptr) std::fill_n(t.dbiases, t.count, 0.0f);
  return t;
}

}  // namespace

RelativeTables relative_tables(const AttentionHead<float>& head,
                               const RelativeHeadGradients* gradients) {
  const RelativeTables t = tables_of(head, gradients);
  HWY_DYNAMIC_DISPATCH(lay_out_f32)(head, t);
  return t;
}
RelativeTables relative_tables(const AttentionHead<bf16>& head,
                               const RelativeHeadGradients* gradients) {
  const RelativeTables t = tables_of(head, gradients);
  HWY_DYNAMIC_DISPATCH(lay_out_bf16)(head, t);
  return t;
}

void relative_scores_kernel(const RelativeTables& tables, const float* q, const RelativeFactor& k,
                            const ScoreBlock<float>& block) {
  HWY_DYNAMIC_DISPATCH(scores)(tables, q, k, block);
}
void relative_gradients_kernel(const RelativeTables& tables, const float* q, const float* k,
                               const ScoreBlock<float>& block, float* dq, float* dk) {
  HWY_DYNAMIC_DISPATCH(gradients)(tables, q, k, block, dq, dk);
}
void add_rows_kernel(const float* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(add_rows_f32)(from, from_stride, rows, n, to, to_stride);
}
void add_rows_kernel(const bf16* from, int64_t from_stride, int64_t rows, int64_t n, float* to,
                     int64_t to_stride) {
  HWY_DYNAMIC_DISPATCH(add_rows_bf16)(from, from_stride, rows, n, to, to_stride);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
