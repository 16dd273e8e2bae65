#pragma once
// Attention of one long bf16 window under one head, on a CPU that multiplies bf16 itself. GEMM
// makes the products, on copies whose lengths are rounded up, so that only few different shapes
// occur. Runs on the calling thread.

#include "spanforge/ops/attention_kernel.h"

namespace spanforge::ops {

// Below this length, f32 registers are faster.
inline constexpr int64_t kShortestBf16Window = 64;

void attention_bf16(const AttentionHead<bf16>& head);
void attention_backward_bf16(const AttentionHead<bf16>& head,
                             const AttentionHeadGradients<bf16>& gradients);

}  // namespace spanforge::ops
