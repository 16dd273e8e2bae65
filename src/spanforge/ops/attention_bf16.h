#pragma once
// Attention of one long bf16 window under one head where the CPU multiplies bf16 itself: the
// products go to GEMM, on copies whose lengths are rounded up, so that few distinct products are
// ever made. Runs on the calling thread.

#include "spanforge/ops/attention_kernel.h"

namespace spanforge::ops {

// Shorter windows are faster in f32 registers.
inline constexpr int64_t kShortestBf16Window = 64;

void attention_bf16(const AttentionHead<bf16>& head);
void attention_backward_bf16(const AttentionHead<bf16>& head,
                             const AttentionHeadGradients<bf16>& gradients);

}  // namespace spanforge::ops
