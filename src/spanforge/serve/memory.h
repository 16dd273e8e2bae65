#pragma once
// What a server takes at most, in bytes: so that models that do not fit are refused before they are
// loaded, and not when the first long request comes.

#include <cstdint>
#include <span>

#include "spanforge/serve/limits.h"

namespace spanforge::serve {

// Of a model, with batches of limits.batch_tokens (or of one window, where that is longer).
struct ModelMemory {
  int64_t weights = 0, activations = 0;
};

struct MemoryPlan {
  int64_t models = 0;       // weights
  int64_t batches = 0;      // activations of one batch, of each model
  int64_t messages = 0;     // bodies and replies in flight, and the texts read from them
  int64_t queue = 0;        // windows that wait, and their logits
  int64_t connections = 0;  // their buffers
  int64_t program = 0;      // code, tokenizers, scratch of the matrix products
  int64_t total() const { return models + batches + messages + queue + connections + program; }
};
MemoryPlan plan_memory(std::span<const ModelMemory> models, const Limits& limits);

}  // namespace spanforge::serve
