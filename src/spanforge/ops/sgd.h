#pragma once
// torch.optim.SGD without momentum over f32 memory: HF's `--optim sgd`.

#include <cstdint>
#include <span>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct SgdConstants {
  double lr = 0, weight_decay = 0;  // an L2 term of the gradient, not decoupled
  float gradient_scale = 1;         // includes the clip factor
};

// param, grad [1,n]: p -= lr * (g + wd * p). shadow ([1,n] bf16 or empty) receives the rounded new
// p.
void sgd(const Tensor& param, const Tensor& grad, const Tensor& shadow,
         const SgdConstants& constants);
// The same for some rows of matrices [V,H], without a shadow.
void sgd_rows(const Tensor& param, const Tensor& grad, std::span<const int32_t> rows,
              const SgdConstants& constants);

}  // namespace spanforge::ops
