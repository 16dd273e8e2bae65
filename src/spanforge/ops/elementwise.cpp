#include "spanforge/ops/elementwise.h"

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kRows = 8;

float get(float x) { return x; }
float get(bf16 x) { return to_float(x); }
void set(float& to, float x) { to = x; }
void set(bf16& to, float x) { to = to_bf16(x); }

template <class T>
void scale_elements(const Tensor& x, float factor) {
  parallel_rows(x.rows, kRows, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* const row = x.row<T>(r);
      for (int64_t c = 0; c < x.cols; ++c) set(row[c], get(row[c]) * factor);
    }
  });
}

template <class T>
void add_elements(const Tensor& x, const Tensor& y) {
  parallel_rows(x.rows, kRows, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* const from = x.row<T>(r);
      T* const to = y.row<T>(r);
      for (int64_t c = 0; c < x.cols; ++c) set(to[c], get(to[c]) + get(from[c]));
    }
  });
}

}  // namespace

void scale(const Tensor& x, float factor) {
  require_float("scale", "x", x);
  if (x.dtype == DType::kF32) {
    scale_elements<float>(x, factor);
  } else {
    scale_elements<bf16>(x, factor);
  }
}

void add(const Tensor& x, const Tensor& y) {
  require_float("add", "x", x);
  require_matrix("add", "y", y, x.rows, x.cols, x.dtype);
  if (x.dtype == DType::kF32) {
    add_elements<float>(x, y);
  } else {
    add_elements<bf16>(x, y);
  }
}

}  // namespace spanforge::ops
