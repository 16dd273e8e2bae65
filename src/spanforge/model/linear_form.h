#pragma once
// The two forms of a block's linear layers: plain, as in training, or packed (f32, bf16, int8), as
// in answering. A pass is written once for both forms. They differ in where the bias is added. A
// plain layer leaves it to the next operation, which reads its output anyway; a packed layer adds
// it inside the product. In bf16 the two round differently.

#include <cstddef>

#include "spanforge/model/parameter_table.h"
#include "spanforge/ops/activation.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/packed_linear.h"

namespace spanforge {

// What a model answers with.
using AnsweringParts = ModelParts<Tensor, ops::PackedLinear>;

// y = x W^T + b
inline void apply_linear(const LinearPart<Tensor>& layer, const Tensor& x, const Tensor& y) {
  ops::linear(x, layer.weight, layer.bias, y);
}
inline void apply_linear(const ops::PackedLinear& layer, const Tensor& x, const Tensor& y) {
  layer(x, y);
}

// y = x W^T. Returns the bias if the caller must still add it, else an empty tensor.
inline Tensor apply_before_bias(const LinearPart<Tensor>& layer, const Tensor& x, const Tensor& y) {
  ops::linear(x, layer.weight, Tensor(), y);
  return layer.bias;
}
inline Tensor apply_before_bias(const ops::PackedLinear& layer, const Tensor& x, const Tensor& y) {
  layer(x, y);
  return {};
}

// y = act(x W^T + b). z, which may be y, receives what the activation is applied to; packed layers
// do not write it. add(z) adds the adapters' output; packed layers have no adapters.
template <class Add>
void apply_activated(const LinearPart<Tensor>& layer, const Tensor& x, ops::Activation activation,
                     const Tensor& z, const Tensor& y, const Add& add) {
  ops::linear(x, layer.weight, Tensor(), z);
  add(z);
  ops::bias_activation(z, layer.bias, activation, y);
}
template <class Add>
void apply_activated(const ops::PackedLinear& layer, const Tensor& x, ops::Activation activation,
                     const Tensor&, const Tensor& y, const Add&) {
  layer(x, activation, y);
}

}  // namespace spanforge
