// Products of small row-major f32 matrices in scratch memory, for attention. Included once per
// target, see simd-inl.h.
//
// C[m,n] (+)= A[m,k] B[k,n]. B and C have rows of whole vectors (n is a multiple of the lanes;
// alignment follows from the strides; padding columns are computed, too). A is read element by
// element, so it may have any strides: A^T is a view. A tile of up to 8 rows by 3 vectors of C
// stays in registers over all of k.

#if defined(SPANFORGE_OPS_SMALL_GEMM_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SPANFORGE_OPS_SMALL_GEMM_INL_H_
#undef SPANFORGE_OPS_SMALL_GEMM_INL_H_
#else
#define SPANFORGE_OPS_SMALL_GEMM_INL_H_
#endif

#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {

struct SmallGemm {
  int64_t m, n, k;
  const float* a;
  int64_t a_row, a_col;  // strides of A
  const float* b;
  int64_t b_row;
  float* c;
  int64_t c_row;
};

// Registers: 32 on AVX-512, 16 elsewhere.
constexpr int64_t kTileRows = HWY_MAX_BYTES >= 64 ? 8 : 4;

template <bool kAccumulate, int kRows, int kVectors>
HWY_INLINE void multiply_tile(const SmallGemm& g, int64_t i, int64_t j) {
  const F f;
  const int64_t step = lanes();
  V sums[kRows][kVectors];
  float* const c = g.c + i * g.c_row + j;
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = kAccumulate ? hn::LoadU(f, c + r * g.c_row + v * step) : hn::Zero(f);
    }
  }
  const float* a = g.a + i * g.a_row;
  const float* b = g.b + j;
  for (int64_t p = 0; p < g.k; ++p, a += g.a_col, b += g.b_row) {
    V row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = hn::LoadU(f, b + v * step);
    for (int r = 0; r < kRows; ++r) {
      const V factor = hn::Set(f, a[r * g.a_row]);
      for (int v = 0; v < kVectors; ++v) sums[r][v] = hn::MulAdd(factor, row[v], sums[r][v]);
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[r][v], f, c + r * g.c_row + v * step);
  }
}

template <bool kAccumulate, int kVectors>
HWY_INLINE void multiply_columns(const SmallGemm& g, int64_t j) {
  int64_t i = 0;
  for (; i + kTileRows <= g.m; i += kTileRows)
    multiply_tile<kAccumulate, kTileRows, kVectors>(g, i, j);
  if constexpr (kTileRows > 4) {
    if (i + 4 <= g.m) {
      multiply_tile<kAccumulate, 4, kVectors>(g, i, j);
      i += 4;
    }
  }
  if (i + 2 <= g.m) {
    multiply_tile<kAccumulate, 2, kVectors>(g, i, j);
    i += 2;
  }
  if (i < g.m) multiply_tile<kAccumulate, 1, kVectors>(g, i, j);
}

template <bool kAccumulate>
void multiply(const SmallGemm& g) {
  const int64_t step = lanes();
  int64_t j = 0;
  for (int64_t left = g.n / step; left > 0;) {
    const int64_t take = left == 4 || left == 2 ? 2 : left == 1 ? 1 : 3;  // 4 = 2 + 2
    if (take == 3) multiply_columns<kAccumulate, 3>(g, j);
    if (take == 2) multiply_columns<kAccumulate, 2>(g, j);
    if (take == 1) multiply_columns<kAccumulate, 1>(g, j);
    left -= take;
    j += take * step;
  }
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
