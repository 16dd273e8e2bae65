#pragma once
// One row of bias + activation, forward and backward; f32 or bf16 storage, f32 arithmetic.

#include <cstdint>

#include "spanforge/ops/activation.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// x = x + bias; y = act(x). In bf16 the activation is applied to the rounded x.
void activation_kernel(Activation activation, const float* bias, int64_t n, float* x, float* y);
void activation_kernel(Activation activation, const float* bias, int64_t n, bf16* x, bf16* y);
// dx = dy * act'(z); dbias += dx (before rounding).
void activation_backward_kernel(Activation activation, const float* dy, const float* z, int64_t n,
                                float* dx, float* dbias);
void activation_backward_kernel(Activation activation, const bf16* dy, const bf16* z, int64_t n,
                                bf16* dx, float* dbias);

// One row of a gated activation: y = act(u) * g, with n values of each.
void gated_activation_kernel(Activation activation, const float* u, const float* g, int64_t n,
                             float* y);
void gated_activation_kernel(Activation activation, const bf16* u, const bf16* g, int64_t n,
                             bf16* y);
// du = dy * g * act'(u), dg = dy * act(u).
void gated_activation_backward_kernel(Activation activation, const float* dy, const float* u,
                                      const float* g, int64_t n, float* du, float* dg);
void gated_activation_backward_kernel(Activation activation, const bf16* dy, const bf16* u,
                                      const bf16* g, int64_t n, bf16* du, bf16* dg);

}  // namespace spanforge::ops
