#pragma once
// What: The optimisers, under the names of HF's `--optim`. Each equals what HF's Trainer 4.57 makes
//   of its name: torch.optim.AdamW, transformers' Adafactor with an external learning rate,
//   torch.optim.SGD without momentum. An Optimizer describes its state (slots, laid out by
//   optimizer_state.h) and torch's file form of it (step_form, settings). Checkpoints
//   (optimizer_file.h) and memory estimates need nothing else.
// A new optimiser: a file next to adamw.cpp, its row in optimizer.cpp, a test.
// Threads: An Optimizer belongs to one run; step() computes on all threads.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "spanforge/formats/torch_file.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/optimizer_state.h"
#include "spanforge/train/trained_parameters.h"

namespace spanforge {

// How a parameter's state in optimizer.pt counts steps.
enum class StepForm {
  kNone,         // does not
  kInteger,      // "step": a Python int
  kFloatTensor,  // "step": a float32 tensor of rank 0, its own storage
};

// A key of torch's parameter groups, in torch's order, except lr, weight_decay and params.
struct GroupSetting {
  std::string_view name;
  TorchValue value;
  // True if the arithmetic depends on it but no option sets it. A file with another value is then
  // an error.
  bool is_fixed = false;
};

// One update of all weights.
struct UpdateStep {
  int64_t number = 1;  // counted from 1
  double learning_rate = 0;
  float gradient_scale = 1;  // the clip factor
};

class Optimizer {
 public:
  explicit Optimizer(TrainedParameters parameters) : parameters_(std::move(parameters)) {}
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  virtual std::string_view name() const = 0;  // of --optim
  virtual std::span<const StateSlot> slots() const = 0;
  virtual StepForm step_form() const = 0;
  virtual std::vector<GroupSetting> settings() const = 0;
  // Updates the weights whose state is held, and all embeddings. REQUIRES: `state` is new_state()
  // or was read for this optimiser; every call gets the same one.
  virtual void step(TrainableModel& model, const OptimizerState& state,
                    const UpdateStep& update) = 0;

  const TrainedParameters& parameters() const { return parameters_; }
  // Zeros. held: as OptimizerState's; empty unless can_be_divided().
  OptimizerState new_state(std::vector<ElementRange> held = {}) const {
    return {slots(), parameters_, std::move(held)};
  }
  // True if a state held in part saves memory and suffices for a part of the update.
  bool can_be_divided() const;

 private:
  TrainedParameters parameters_;
};

struct OptimizerKind {
  std::string_view name;  // an OptimizerName's word
  std::string_view mark;  // a key that only this kind's parameter groups have; names with the same
                          // mark are one optimiser
  std::unique_ptr<Optimizer> (*make)(TrainedParameters parameters,
                                     const TrainingArguments& arguments);
  std::span<const StateSlot> (*slots)();
};
std::span<const OptimizerKind> optimizer_kinds();
// Error{kUsage, parameter "optim"} for an unknown name.
const OptimizerKind& optimizer_kind(std::string_view name);

// The optimiser that arguments.optim names. `model` must outlive it.
std::unique_ptr<Optimizer> make_optimizer(const TrainableModel& model,
                                          const TrainingArguments& arguments);
// Bytes of its slots for a model of this shape, without alignment.
int64_t optimizer_state_bytes(std::string_view name, const ModelConfig& config);

// HF's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1. Returns 1 if max_norm is 0 (no
// clipping).
float clip_factor(double norm, double max_norm);

}  // namespace spanforge
