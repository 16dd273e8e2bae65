#pragma once
// LayerNorm over the last dimension (two-pass variance, population), alone and fused with what
// stands before it in a post-norm block: y = LN(residual + dropout(x + bias)).
// x, residual, z, y and their gradients: f32 or bf16, one dtype a call; gamma, beta, bias, mean,
// rstd and parameter gradients f32.

#include "spanforge/ops/dropout.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct LayerNormSaved {
  Tensor z;     // [T,H] the normalised input's source (residual + dropout(x + bias)); written
  Tensor mean;  // [1,T] f32
  Tensor rstd;  // [1,T] f32
};

void bias_dropout_residual_layer_norm(const Tensor& x,     // [T,H]
                                      const Tensor& bias,  // [1,H] or empty
                                      const Dropout& dropout,
                                      const Tensor& residual,  // [T,H] or empty
                                      const Tensor& gamma,
                                      const Tensor& beta,  // [1,H] or empty
                                      float eps, const LayerNormSaved& saved,
                                      const Tensor& y);  // [T,H]; may be x or residual

// dz is the gradient of z, so of residual; dx = dropout'(dz), so dbias += column sums of dx.
// dx may be empty when there is no dropout (then it equals dz). dgamma, dbeta +=; each gradient of
// a parameter may be empty where it is not wanted; dbeta has one only where dgamma has.
void bias_dropout_residual_layer_norm_backward(const Tensor& dy, const LayerNormSaved& saved,
                                               const Dropout& dropout, const Tensor& gamma,
                                               const Tensor& dz,  // [T,H]; may be dy
                                               const Tensor& dx,  // [T,H] or empty
                                               const Tensor& dgamma, const Tensor& dbeta,
                                               const Tensor& dbias);

}  // namespace spanforge::ops
