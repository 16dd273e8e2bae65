#pragma once
// Simple operations on matrices, f32 or bf16. In bf16 each element is rounded once.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void scale(const Tensor& x, float factor);   // x *= factor
void add(const Tensor& x, const Tensor& y);  // y += x; shape and dtype are equal

}  // namespace spanforge::ops
