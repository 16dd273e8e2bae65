#pragma once
// Kernels over plain arrays. The .cpp files of the operations describe shapes and threads.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void convert_kernel(const float* from, bf16* to, int64_t n);
void convert_kernel(const bf16* from, float* to, int64_t n);
// sums[j] += x[0][j] + x[1][j] + ... in row order.
void column_sums_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* sums);
void column_sums_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, float* sums);
// y[j] = x[0][j] + x[1][j] + ..., for `count` >= 1 rows at any addresses.
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, float* y);
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, bf16* y);
void scale_kernel(float* x, int64_t n, float factor);
double sum_of_squares_kernel(const float* x, int64_t n);
double sum_of_squares_kernel(const bf16* x, int64_t n);
bool all_finite_kernel(const float* x, int64_t n);
bool all_finite_kernel(const bf16* x, int64_t n);

struct AdamWFactors {
  float gradient_scale, keep, one_minus_beta1, beta2, one_minus_beta2, sqrt_correction2, eps,
      negative_step;
};
// shadow may be null.
void adamw_kernel(float* p, const float* g, float* m, float* v, bf16* shadow, int64_t n,
                  const AdamWFactors& factors);

}  // namespace spanforge::ops
