#pragma once
// optimizer.pt, scheduler.pt and rng_state.pth as HF's Trainer 4.57 (torch's optimisers, LambdaLR)
// writes and reads them, to and from an optimiser's slots. HF numbers the parameters that decay
// first, then the others, each in module order; those that are not trained have no number.
// Errors: Error{kBadModel, file}, Error{kIo, file}.

#include <filesystem>
#include <string_view>
#include <vector>

#include "spanforge/formats/torch_file.h"
#include "spanforge/io/file.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/optimizer.h"

namespace spanforge {

// next_rate: the learning rate of the step to come, which is what HF's files hold. global_step:
// updates done.
void write_optimizer_file(AtomicFile file, const TrainableModel& model, const Optimizer& optimizer,
                          const OptimizerState& state, const TrainingArguments& arguments,
                          int64_t global_step, double next_rate);
// The file must be of this optimiser after global_step updates, with the same parameters.
OptimizerState read_optimizer_file(const std::filesystem::path& file, const TrainableModel& model,
                                   const Optimizer& optimizer, int64_t global_step);

// Whose state a torch file holds, by the keys of its parameter groups: a name of --optim (of names
// that mean one optimiser, the first). Error{kBadModel, place} where it is none of them.
std::string_view optimizer_of_file(const TorchValue& root, const std::string& place);

void write_scheduler_file(AtomicFile file, const TrainingArguments& arguments, int64_t global_step,
                          double next_rate);

// Valid states of Python's, numpy's and torch's generators for `seed`. Ours are functions of the
// step and need none of them; HF's Trainer wants the file.
void write_rng_file(AtomicFile file, uint64_t seed);

}  // namespace spanforge
