#pragma once
// The loss of extractive QA over packed windows: for each window the mean of the cross-entropies of
// start and end over its own tokens. (HF's loss includes padding positions; docs/training.md.)

#include <cstdint>
#include <span>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Returns the sum over windows of (CE_start + CE_end) / 2 in double. dlogits receives
// d(sum) * gradient_scale unless it is empty. window_losses ([W] or empty) receives each window's
// loss.
double span_loss(const Tensor& logits,                 // [T,2] f32: start, end
                 std::span<const int32_t> cu_seqlens,  // [W+1]
                 std::span<const int32_t> start_positions, std::span<const int32_t> end_positions,
                 float gradient_scale, const Tensor& dlogits,  // [T,2] f32 or empty
                 std::span<double> window_losses = {});

}  // namespace spanforge::ops
