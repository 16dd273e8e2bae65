#pragma once
// Kernels of the optimisers other than AdamW (vector_kernel.h has AdamW's), over plain arrays.
// sgd.h and adafactor.h describe the algorithms.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct SgdFactors {
  float gradient_scale, weight_decay, negative_rate;
};
// shadow may be null.
void sgd_kernel(float* p, const float* g, bf16* shadow, int64_t n, const SgdFactors& factors);

// sums[j] += g[j]^2.
void add_squares_kernel(const float* g, int64_t n, double* sums);

struct AdafactorFactors {
  float gradient_scale, divisor, rate, negative_decay;  // negative_decay: -lr * weight decay
};
// The sum of the squares of the update before clipping,
// (row_factor * column_factors[j]) * (g[j] * gradient_scale).
double adafactor_squares_kernel(const float* g, const float* column_factors, float row_factor,
                                float gradient_scale, int64_t n);
// p[j] = p[j] decayed - that update / divisor * rate. shadow may be null.
void adafactor_kernel(float* p, const float* g, const float* column_factors, float row_factor,
                      bf16* shadow, int64_t n, const AdafactorFactors& factors);

}  // namespace spanforge::ops
