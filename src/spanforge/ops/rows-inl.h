// Copies matrices to and from f32 scratch memory with rows of whole vectors, for attention.
// Included once per target, see simd-inl.h.

#if defined(SPANFORGE_OPS_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SPANFORGE_OPS_ROWS_INL_H_
#undef SPANFORGE_OPS_ROWS_INL_H_
#else
#define SPANFORGE_OPS_ROWS_INL_H_
#endif

#include <algorithm>

#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {

// to[r, 0 .. n) = from[r, 0 .. n) * scale, zero in the rest of the last vector.
template <class T>
void copy_rows(const T* from, int64_t stride, int64_t rows, int64_t n, float scale, float* to,
               int64_t width) {
  const V factor = broadcast(scale);
  for (int64_t r = 0; r < rows; ++r) {
    float* const row = to + r * width;
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Mul(load(from + r * stride + j, part), factor), row + j);
    });
  }
}

// to[c, r] = from[r, c] with rows of `width`, zero beyond `rows`. Takes some rows at a time, so
// that a column's cache lines are still near when the next column reads them.
inline void transpose(const float* from, int64_t from_width, int64_t rows, int64_t columns,
                      float* to, int64_t width) {
  constexpr int64_t kTogether = 32;
  for (int64_t begin = 0; begin < rows; begin += kTogether) {
    const int64_t end = std::min(rows, begin + kTogether);
    for (int64_t c = 0; c < columns; ++c) {
      float* const row = to + c * width;
      for (int64_t r = begin; r < end; ++r) row[r] = from[r * from_width + c];
    }
  }
  for (int64_t c = 0; c < columns; ++c)
    std::fill(to + c * width + rows, to + (c + 1) * width, 0.0f);
}

template <class T>
void write_rows(const float* from, int64_t width, int64_t rows, int64_t n, float scale, T* to,
                int64_t stride) {
  const V factor = broadcast(scale);
  for (int64_t r = 0; r < rows; ++r) {
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      store(hn::Mul(load(from + r * width + j), factor), to + r * stride + j, part);
    });
  }
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
