#pragma once
// Dropout masks as pure functions. The mask of an element depends only on (key, row key, column),
// not on batch layout or thread. So forward and backward recompute it, and nothing is stored.

#include <cstdint>
#include <span>

namespace spanforge::ops {

struct Dropout {
  float p = 0.0f;                      // probability of dropping; 0: no dropout
  uint64_t key = 0;                    // of (seed, step, layer, site)
  std::span<const uint64_t> row_keys;  // [T], of (window, token position); unused when p == 0
  bool active() const { return p > 0.0f; }
};

// True if element `column` of a row is kept; it is then scaled by 1 / (1 - p). This scalar
// definition must equal the vectorised kernels bit for bit.
bool dropout_keeps(const Dropout& dropout, uint64_t row_key, uint32_t column);

}  // namespace spanforge::ops
