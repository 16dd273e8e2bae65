#pragma once
// One row of the fused LayerNorm, forward and backward, and of dropout alone. T: float or bf16.

#include <cstdint>

#include "spanforge/ops/dropout_bits.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Floats of scratch memory for the factors of a row of n columns.
constexpr int64_t dropout_scratch(int64_t n) { return (n + 63) / 64 * 64; }

template <class T>
struct LayerNormRow {
  int64_t n;
  const T* x;
  const float* bias;  // or null
  const T* residual;  // or null
  DropoutRow dropout;
  const float* gamma;
  const float* beta;  // or null
  float eps;
  T* z;  // may be x or residual
  T* y;  // may be x or residual, not z
  float* mean;
  float* rstd;
  float* factors;  // scratch, dropout_scratch(n) floats
};
void layer_norm_kernel(const LayerNormRow<float>& row);
void layer_norm_kernel(const LayerNormRow<bf16>& row);

template <class T>
struct LayerNormGradientRow {
  int64_t n;
  const T* dy;
  const T* z;
  float mean;
  float rstd;
  const float* gamma;
  DropoutRow dropout;
  T* dz;  // may be dy, unless add_to_dz
  bool add_to_dz;
  T* dx;          // or null
  float* dgamma;  // added to, as dbeta and dbias
  float* dbeta;
  float* dbias;    // or null
  float* factors;  // scratch, dropout_scratch(n) floats
};
void layer_norm_backward_kernel(const LayerNormGradientRow<float>& row);
void layer_norm_backward_kernel(const LayerNormGradientRow<bf16>& row);

void dropout_kernel(const float* x, const DropoutRow& dropout, int64_t n, float* factors, float* y);
void dropout_kernel(const bf16* x, const DropoutRow& dropout, int64_t n, float* factors, bf16* y);

}  // namespace spanforge::ops
