#pragma once
// Rotary positions for the heads of one token; f32 or bf16 storage, f32 arithmetic.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// For `heads` heads of 2n elements from x on: with a = x[t], b = x[n + t], c = cosines[t] and
// s = sign * sines[t], x[t] = a c - b s and x[n + t] = b c + a s. Each product is rounded, as
// PyTorch does.
void rotary_kernel(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                   float* x);
void rotary_kernel(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                   bf16* x);

}  // namespace spanforge::ops
