#pragma once
// optimizer.pt, scheduler.pt and rng_state.pth as HF's Trainer 4.57 (torch's fused AdamW, LambdaLR)
// writes and reads them, to and from the flat arenas. HF numbers the parameters that decay first,
// then the others, each in module order. Errors: Error{kBadModel, file}, Error{kIo, file}.

#include <filesystem>
#include <vector>

#include "spanforge/model/model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

// The model's parameters in the order of torch's named_parameters().
std::vector<const Parameter*> module_order(const QuestionAnsweringModel& model);

// next_rate: the learning rate of the step to come, which is what HF's files hold.
void write_optimizer_file(const std::filesystem::path& file, const QuestionAnsweringModel& model,
                          const TrainingArguments& arguments, const TrainState& state,
                          double next_rate);
// Fills both moments (allocated here). The number of steps must be state.global_step.
void read_optimizer_file(const std::filesystem::path& file, const QuestionAnsweringModel& model,
                         TrainState& state);

void write_scheduler_file(const std::filesystem::path& file, const TrainingArguments& arguments,
                          int64_t global_step, double next_rate);

// Valid states of Python's, numpy's and torch's generators for `seed`. Ours are functions of the
// step and need none of them; HF's Trainer wants the file.
void write_rng_file(const std::filesystem::path& file, uint64_t seed);

// Zeroed moments of the model's size.
void allocate_moments(const QuestionAnsweringModel& model, TrainState& state);

}  // namespace spanforge
