#pragma once
// The passes of LoRA adapters beside one linear layer (lora.h). Letters: T packed tokens, R rank.

#include <span>

#include "spanforge/model/dropout_plan.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// What the adapters of a layer need beside their weights.
struct AdapterContext {
  const DropoutPlan& dropout;
  int32_t layer = 0;
  float scale = 1;                           // LoraConfig::scale()
  ActivationArena& scratch;                  // given back before a function returns
  DropoutSite site = DropoutSite::kAdapter;  // of their inputs
};

// y[T,out] += the adapters' part, of the layer's input x [T,in].
void adapters_forward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                      const Tensor& x, const Tensor& y);

// dy: gradient of y. dx [T,in] += (skipped when empty); g +=, or = where add_to_matrices is false.
void adapters_backward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                       const Tensor& x, const Tensor& dy, const Tensor& dx, bool add_to_matrices,
                       std::span<const AdapterPart<Tensor>> g);

}  // namespace spanforge
