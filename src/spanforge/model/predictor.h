#pragma once
// A network that turns a batch of windows into logits. QuestionAnsweringModel (model.h) also
// learns; AnsweringModel (answering_model.h) only answers, and is faster.

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/config.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge {

// Scratch memory of forward and backward passes; reused across calls.
struct Workspace {
  ActivationArena activations;
};

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual const ModelConfig& config() const = 0;
  // Writes logits[T,2] f32 (start, end) of every token. Threads may call it concurrently, each with
  // its own Workspace. Errors: Error{kBadModel} for ids that the model has no row for.
  virtual void predict(const PackedBatch& batch, Workspace& workspace,
                       const Tensor& logits) const = 0;

 protected:
  Predictor() = default;
  Predictor(const Predictor&) = default;
  Predictor& operator=(const Predictor&) = default;
};

}  // namespace spanforge
