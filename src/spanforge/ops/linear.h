#pragma once
// y = x W^T + b with HF's weight layout W[out, in]. x, y, dy, dx: f32 or bf16 (then W is bf16,
// too); bias, dweight, dbias: f32.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void linear(const Tensor& x,       // [T,in]
            const Tensor& weight,  // [out,in], dtype of x
            const Tensor& bias,    // [1,out] f32, or empty
            const Tensor& y);      // [T,out]

struct LinearBackwardOptions {
  bool add_to_dx = false;      // dx += instead of dx =
  bool add_to_dweight = true;  // true accumulates micro-batches; false overwrites dweight
};

// dx = dy W; dweight += dy^T x; dbias += column sums of dy. An empty one is not computed.
void linear_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& dx,
                     const Tensor& dweight, const Tensor& dbias,
                     const LinearBackwardOptions& options = {});

}  // namespace spanforge::ops
