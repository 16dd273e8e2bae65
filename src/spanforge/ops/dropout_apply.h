#pragma once
// Dropout alone (after the embeddings' LayerNorm). y = x * mask / (1 - p); y may be x. The backward
// is the same call on the gradient.

#include "spanforge/ops/dropout.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

void apply_dropout(const Tensor& x, const Dropout& dropout, const Tensor& y);  // [T,H]

}  // namespace spanforge::ops
