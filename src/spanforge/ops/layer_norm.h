#pragma once
// LayerNorm over the last dimension (two-pass variance, population), alone or fused with the
// operations before it in a post-norm block: y = LN(residual + dropout(x + bias)).
// x, residual, z, y and their gradients: f32 or bf16, one dtype per call; gamma, beta, bias, mean,
// rstd and gradients of parameters: f32.

#include "spanforge/ops/dropout.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct LayerNormSaved {
  Tensor z;     // [T,H]; receives the input of the norm: residual + dropout(x + bias)
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

// dz is the gradient of z, and so of residual. add_to_dz: adds to dz, which holds what reached z
// on another path. dx = dropout'(dz); adds the column sums of dx to dbias. dx may be empty if there
// is no dropout, because it then equals dz. Adds to dgamma and dbeta. A parameter's gradient may be
// empty if it is not wanted; dbeta may be given only with dgamma.
void bias_dropout_residual_layer_norm_backward(const Tensor& dy, const LayerNormSaved& saved,
                                               const Dropout& dropout, const Tensor& gamma,
                                               const Tensor& dz,  // [T,H]; may be dy
                                               const Tensor& dx,  // [T,H] or empty
                                               const Tensor& dgamma, const Tensor& dbeta,
                                               const Tensor& dbias, bool add_to_dz = false);

}  // namespace spanforge::ops
