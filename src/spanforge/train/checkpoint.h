#pragma once
// What: a checkpoint directory: HF's files (config.json, model.safetensors, optimizer.pt,
//   scheduler.pt, rng_state.pth, trainer_state.json, the tokenizer's), training_args.json,
//   spanforge.json with the settings of the last evaluation (so that the checkpoint answers as it
//   was judged), spanforge_state.json with what trainer_state.json has no place for (an unknown key
//   there breaks HF's loading), and the manifest. HF's own checkpoints are read as well: they lack
//   our files, and the losses since the last log with them.
// spanforge_state.json: {"format": 1, "data": {name: {"file", "sha256"}}, "computing": {"threads",
//   "instructions", "precision"}, "interruption": bool, "progress": {...}, "observers":
//   {name: state}}. A newer format is refused.
// Errors: Error{kBadModel, file} for what is wrong inside, Error{kIo, file} from the system.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/observer.h"
#include "spanforge/train/optimizer.h"
#include "spanforge/train/output_directory.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

struct DataFile {
  std::string file, sha256;
};
using DataFiles = std::map<std::string, DataFile>;  // by option: "train", "validation"

// What the last digits depend on besides options and data. Named "computing" in
// spanforge_state.json.
struct Computing {
  int threads = 0;
  std::string instructions, precision;  // "avx512", "fp32"
  bool operator==(const Computing&) const = default;
};
Computing computing_of(const TrainableModel& model);  // this process's

// What a checkpoint holds beside the tensors. Borrowed for a call.
struct CheckpointSource {
  const TrainingArguments& arguments;
  const TrainPlan& plan;
  const TrainState& state;
  const TrainableModel& model;
  const Tokenizer& tokenizer;
  const AnswerSettings answer_settings;
  const DataFiles& data;
  const std::vector<Observer*>& observers;
  double next_rate = 0;                         // learning rate of the step to come
  std::filesystem::path best_model_checkpoint;  // empty: none
  bool interruption = false;  // saved because the run was asked to stop; goes when it is superseded
};

// A checkpoint is written in two parts, which may be written at the same time. The large one,
// weights and optimiser state; of `state` it reads the step and the optimiser's only.
void write_checkpoint_tensors(const TrainableModel& model, const Optimizer& optimizer,
                              const TrainState& state, const TrainingArguments& arguments,
                              double next_rate, DirectoryWriter& writer);
// Everything else.
void write_checkpoint_state(const CheckpointSource& source, DirectoryWriter& writer);
// spanforge.json's notes about the weights beside it: steps trained, data files.
Json training_notes(int64_t steps, const DataFiles& data);
// Bytes a checkpoint of this model takes, roughly and not too few.
uint64_t checkpoint_bytes(const TrainableModel& model, const OptimizerState& state);

// What can be read before there is a model.
struct CheckpointHead {
  std::filesystem::path directory;
  std::optional<TrainingArguments> arguments;  // nullopt: HF's checkpoint
  DataFiles data;                              // empty: HF's checkpoint
  std::optional<Computing> computing;          // nullopt: HF's, or an early one of ours
  std::string optimizer;                       // whose state HF's checkpoint holds; "": ours
  bool has_tokenizer = false;
  int64_t train_batch_size = 0, max_steps = 0;  // as trainer_state.json says; 0: it does not
  bool is_fallback = false;                     // newer ones of its run are damaged
};
// Proves the whole directory: every hash of the manifest, or, without one, that every file reads.
CheckpointHead open_checkpoint(const std::filesystem::path& directory);

// Error{kBadModel, directory} unless every file is as its manifest says.
void prove_whole(const std::filesystem::path& directory);

// The newest checkpoint of OUTPUT that verifies; nullopt: there is none. `skipped` receives a line
// for each newer one that does not. Error{kIo} where none does and one could not be read: what the
// system did not let us see is not to be trained over. NewerVersion where a newer spanforge wrote
// one that would be taken, for the same reason.
std::optional<CheckpointHead> newest_checkpoint(const OutputDirectory& output,
                                                std::vector<std::string>& skipped);

// Everything else. `model` must be the checkpoint's and `optimizer` of its kind. Observers with a
// saved state get it.
// best_model_checkpoint receives trainer_state.json's: beside this checkpoint when it is there, so
// that a run may be moved.
TrainState read_checkpoint_state(const CheckpointHead& head, const TrainableModel& model,
                                 const Optimizer& optimizer,
                                 const std::vector<Observer*>& observers,
                                 std::filesystem::path& best_model_checkpoint);

// True for a checkpoint of ours that was saved because its run was asked to stop.
bool is_interruption_checkpoint(const std::filesystem::path& directory);

}  // namespace spanforge
