#pragma once
// Dropout masks as pure functions: the mask of an element depends on (key, row key, column) only,
// never on batch layout or thread, so forward and backward recompute it and nothing is stored.

#include <cstdint>
#include <span>

namespace spanforge::ops {

struct Dropout {
  float p = 0.0f;                      // probability of dropping; 0 switches it off
  uint64_t key = 0;                    // of (seed, step, layer, site)
  std::span<const uint64_t> row_keys;  // [T], of (window, token position); unused when p == 0
  bool active() const { return p > 0.0f; }
};

// Scalar definition that the vectorised kernels must equal bit for bit: keeps element `column` of a
// row? Kept elements are scaled by 1 / (1 - p).
bool dropout_keeps(const Dropout& dropout, uint64_t row_key, uint32_t column);

}  // namespace spanforge::ops
