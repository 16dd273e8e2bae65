#pragma once
// Reads and writes optimizer.pt, scheduler.pt and rng_state.pth as HF's Trainer 4.57 does (torch's
// optimisers, LambdaLR). HF numbers the parameters that decay first, then the others, each group in
// module order; parameters that are not trained have no number.
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

// next_rate: the learning rate of the next step, which HF's files hold. global_step: updates done.
void write_optimizer_file(AtomicFile file, const TrainableModel& model, const Optimizer& optimizer,
                          const OptimizerState& state, const TrainingArguments& arguments,
                          int64_t global_step, double next_rate);
// The file must belong to this optimiser after global_step updates, with the same parameters. held:
// the part to read, as new_state()'s.
OptimizerState read_optimizer_file(const std::filesystem::path& file, const TrainableModel& model,
                                   const Optimizer& optimizer, int64_t global_step,
                                   std::vector<ElementRange> held = {});

// The optimiser whose state a torch file holds, by the keys of its parameter groups: a name of
// --optim (the first of those that mean one optimiser). Error{kBadModel, place} if it is none.
std::string_view optimizer_of_file(const TorchValue& root, const std::string& place);

void write_scheduler_file(AtomicFile file, const TrainingArguments& arguments, int64_t global_step,
                          double next_rate);

// Writes valid states of Python's, numpy's and torch's generators for `seed`. Our generators are
// functions of the step and do not need the file; HF's Trainer does.
void write_rng_file(AtomicFile file, uint64_t seed);

}  // namespace spanforge
