#pragma once
// Sums over rows, for gradients of biases. Rows are added in fixed blocks, and blocks in order, so
// the result does not depend on the thread count.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Adds the column sums of x [T,n], f32 or bf16, to sums[1,n] f32.
void add_column_sums(const Tensor& x, const Tensor& sums);
// sums[j] += sum over blocks of partials[block * n + j].
void add_partials(const float* partials, int64_t blocks, int64_t n, float* sums);

}  // namespace spanforge::ops
