#include "spanforge/serve/memory.h"

namespace spanforge::serve {

MemoryPlan plan_memory(std::span<const ModelMemory> models, const Limits& limits) {
  constexpr int64_t kTokenBytes = 30;              // see PreparedQuestions
  constexpr int64_t kConnectionBytes = 128 << 10;  // TLS takes half of it
  constexpr int64_t kProgramBytes = 64 << 20, kTokenizerBytes = 16 << 20;
  MemoryPlan plan;
  plan.program = kProgramBytes;
  for (const ModelMemory& model : models) {
    plan.models += model.weights;
    plan.batches += model.activations;
    plan.program += kTokenizerBytes;
  }
  plan.messages = static_cast<int64_t>(limits.bodies_bytes + limits.held_texts_bytes);
  plan.queue = limits.queue_tokens * kTokenBytes;
  plan.connections = static_cast<int64_t>(limits.connections) * kConnectionBytes;
  return plan;
}

}  // namespace spanforge::serve
