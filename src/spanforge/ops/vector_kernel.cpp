#include "spanforge/ops/vector_kernel.h"

#include <cmath>

namespace spanforge::ops {
namespace {
float load(const float* p) { return *p; }
float load(const bf16* p) { return to_float(*p); }
void store(float x, float* p) { *p = x; }
void store(float x, bf16* p) { *p = to_bf16(x); }

template <class T>
void column_sums(const T* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) sums[j] += load(x + r * stride + j);
  }
}
template <class T>
void sum_rows(const float* const* x, int64_t count, int64_t n, T* y) {
  for (int64_t j = 0; j < n; ++j) {
    float sum = x[0][j];
    for (int64_t i = 1; i < count; ++i) sum += x[i][j];
    store(sum, y + j);
  }
}
template <class T>
double sum_of_squares_plain(const T* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += double(load(x + i)) * double(load(x + i));
  return sum;
}
template <class T>
bool all_finite(const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(load(x + i))) return false;
  }
  return true;
}
}  // namespace

void convert_kernel(const float* from, bf16* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = to_bf16(from[i]);
}
void convert_kernel(const bf16* from, float* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = to_float(from[i]);
}
void column_sums_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  column_sums(x, stride, rows, n, sums);
}
void column_sums_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  column_sums(x, stride, rows, n, sums);
}
void add_kernel(const float* x, int64_t n, float* y) { column_sums(x, n, 1, n, y); }
void add_kernel(const bf16* x, int64_t n, float* y) { column_sums(x, n, 1, n, y); }
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, float* y) {
  sum_rows(x, count, n, y);
}
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, bf16* y) {
  sum_rows(x, count, n, y);
}
double sum_of_squares_kernel(const float* x, int64_t n) { return sum_of_squares_plain(x, n); }
double sum_of_squares_kernel(const bf16* x, int64_t n) { return sum_of_squares_plain(x, n); }
bool all_finite_kernel(const float* x, int64_t n) { return all_finite(x, n); }
bool all_finite_kernel(const bf16* x, int64_t n) { return all_finite(x, n); }

void adamw_kernel(float* p, const float* g, float* m, float* v, bf16* shadow, int64_t n,
                  const AdamWFactors& f) {
  for (int64_t i = 0; i < n; ++i) {
    const float grad = g[i] * f.gradient_scale;
    const float kept = p[i] * f.keep;
    m[i] = std::fma(f.one_minus_beta1, grad - m[i], m[i]);
    v[i] = v[i] * f.beta2 + f.one_minus_beta2 * grad * grad;
    const float denominator = std::sqrt(v[i]) / f.sqrt_correction2 + f.eps;
    p[i] = kept + f.negative_step * m[i] / denominator;
    if (shadow != nullptr) shadow[i] = to_bf16(p[i]);
  }
}

}  // namespace spanforge::ops
