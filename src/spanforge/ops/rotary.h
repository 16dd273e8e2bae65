#pragma once
// Rotary position embeddings (Su et al. 2021) in the form of HF's rotate_half: in every head, the
// dimensions t and t + D/2 are rotated together by the angle p * theta^(-2t/D), where p is the
// position in the window.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Cosines and sines of the positions 0 .. n-1, computed as HF does: frequencies and angles in f32.
class RotaryAngles {
 public:
  // head_size: D, even.
  RotaryAngles(double theta, int64_t head_size, int64_t positions);
  int64_t positions() const { return positions_; }
  int64_t half() const { return half_; }  // D/2
  const float* cosines(int64_t position) const { return cosines_.data() + position * half_; }
  const float* sines(int64_t position) const { return sines_.data() + position * half_; }

 private:
  int64_t positions_, half_;
  std::vector<float> cosines_, sines_;  // [n, D/2]
};

// Rotates Q and K of qkv [T,3H] (f32 or bf16; arithmetic f32) in place; V stays. No window may be
// longer than the number of positions of `angles`.
void rotate_queries_and_keys(const Tensor& qkv, std::span<const int32_t> cu_seqlens, int32_t heads,
                             const RotaryAngles& angles);
// Rotates the gradients of Q and K in dqkv back.
void rotate_queries_and_keys_backward(const Tensor& dqkv, std::span<const int32_t> cu_seqlens,
                                      int32_t heads, const RotaryAngles& angles);

}  // namespace spanforge::ops
