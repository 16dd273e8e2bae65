#pragma once
// What: the most memory that a server takes, in bytes. The program refuses models that do not fit
//   before it loads them, and not when the first long request comes.

#include <cstdint>
#include <span>

#include "spanforge/serve/limits.h"

namespace spanforge::serve {

// The memory of one model, with batches of limits.batch_tokens, or of one window if it is longer.
struct ModelMemory {
  int64_t weights = 0, activations = 0;
};

struct MemoryPlan {
  int64_t models = 0;       // weights
  int64_t batches = 0;      // activations of one batch, of each model
  int64_t messages = 0;     // bodies and replies in flight, and the texts read from them
  int64_t queue = 0;        // windows that wait, and their logits
  int64_t connections = 0;  // their buffers
  int64_t program = 0;      // code, tokenizers, buffers of matrix products
  int64_t total() const { return models + batches + messages + queue + connections + program; }
};
MemoryPlan plan_memory(std::span<const ModelMemory> models, const Limits& limits);

}  // namespace spanforge::serve
