#pragma once
// y = x W^T + b, HF's weight layout W[out, in]. x, y, dy, dx: f32 or bf16 (then W is bf16 too);
// bias, dweight, dbias: f32.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void linear(const Tensor& x,       // [T,in]
            const Tensor& weight,  // [out,in], dtype of x
            const Tensor& bias,    // [1,out] f32, or empty
            const Tensor& y);      // [T,out]

// dx = dy W (skipped when dx is empty; accumulate_dx adds); dweight += dy^T x; dbias += column sums
// of dy (skipped when empty). The += lets micro-batches accumulate.
void linear_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& dx,
                     const Tensor& dweight, const Tensor& dbias, bool accumulate_dx = false);

}  // namespace spanforge::ops
