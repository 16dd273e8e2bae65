#pragma once
// Bias + activation in one pass, with the activations of HF's ACT2FN that encoders use.

#include <array>
#include <string_view>

#include "spanforge/base/spelling.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

enum class Activation {
  kGelu,      // x * 0.5 * (1 + erf(x / sqrt 2)): HF's "gelu"
  kGeluTanh,  // HF's "gelu_new", "gelu_pytorch_tanh"
  kRelu,
};
constexpr auto spellings(Activation) {
  return std::to_array<Spelling<Activation>>({{"gelu", Activation::kGelu},
                                              {"gelu_new", Activation::kGeluTanh},
                                              {"gelu_pytorch_tanh", Activation::kGeluTanh},
                                              {"relu", Activation::kRelu}});
}
// Error{code, place} for a name that no encoder here uses. key: config.json's key of the name.
Activation parse_activation(std::string_view hf_name, ErrorCode code, const ErrorPlace& place,
                            std::string_view key = "hidden_act");

// z = x + bias; y = act(z). x is overwritten by z, which the backward needs.
void bias_activation(const Tensor& x,     // [T,F] f32 or bf16; overwritten by z
                     const Tensor& bias,  // [1,F] f32, or empty
                     Activation activation,
                     const Tensor& y);  // [T,F] dtype of x

// dx = dy * act'(z); dx may be dy. Adds the column sums of dx to dbias, or skips it if it is empty.
void bias_activation_backward(const Tensor& dy, const Tensor& z, Activation activation,
                              const Tensor& dx, const Tensor& dbias);

// Gated (Shazeer 2020): y = act(u) * g. The first half of x is u, the second g.
void gated_activation(const Tensor& x,  // [T,2F] f32 or bf16
                      Activation activation,
                      const Tensor& y);  // [T,F] dtype of x

void gated_activation_backward(const Tensor& dy, const Tensor& x, Activation activation,
                               const Tensor& dx);  // [T,2F], overwritten; not x

}  // namespace spanforge::ops
