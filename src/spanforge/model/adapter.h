#pragma once
// Runs the LoRA adapters of one linear layer (lora.h). Letters: T packed tokens, R rank.

#include <span>

#include "spanforge/model/dropout_plan.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// What the adapters of a layer need in addition to their weights.
struct AdapterContext {
  const DropoutPlan& dropout;
  int32_t layer = 0;
  float scale = 1;                           // LoraConfig::scale()
  ActivationArena& scratch;                  // functions release what they take
  DropoutSite site = DropoutSite::kAdapter;  // the dropout site of the adapters' inputs
};

// Adds the adapters' output to y [T,out]. x [T,in] is the layer's input.
void adapters_forward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                      const Tensor& x, const Tensor& y);

// dy: gradient of y. Adds to dx [T,in], or skips it if it is empty. Adds to g, or overwrites g if
// add_to_matrices is false.
void adapters_backward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                       const Tensor& x, const Tensor& dy, const Tensor& dx, bool add_to_matrices,
                       std::span<const AdapterPart<Tensor>> g);

}  // namespace spanforge
