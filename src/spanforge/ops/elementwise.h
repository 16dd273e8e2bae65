#pragma once
// Small passes over matrices, f32 or bf16; in bf16 each element is rounded once.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void scale(const Tensor& x, float factor);   // x *= factor
void add(const Tensor& x, const Tensor& y);  // y += x, of one shape and dtype

}  // namespace spanforge::ops
