#pragma once
// What: A checkpoint directory. It has HF's files (config.json, model.safetensors, optimizer.pt,
//   scheduler.pt, rng_state.pth, trainer_state.json, the tokenizer's) and ours: training_args.json;
//   spanforge.json, the settings of the last evaluation, so that the checkpoint answers as it was
//   evaluated; spanforge_state.json, all that trainer_state.json has no key for (an unknown key
//   there breaks HF's loading); and the manifest. HF's own checkpoints are read as well. They lack
//   our files, and so the losses since the last log.
// spanforge_state.json: {"format": 1, "data": {name: {"file", "sha256"}}, "computing": {"threads",
//   "instructions", "precision"}, "interruption": bool, "progress": {...}, "observers": {name:
//   state}}. A newer format is an error.
// Errors: Error{kBadModel, file} for bad contents, Error{kIo, file} from the system.

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

// What a result's last digits depend on, in addition to options and data. Its key in
// spanforge_state.json is "computing".
struct Computing {
  int threads = 0;
  std::string instructions, precision;  // "avx512", "fp32"
  bool operator==(const Computing&) const = default;
};
Computing computing_of(const TrainableModel& model);  // this process's

// What a checkpoint holds in addition to tensors. All references are borrowed for a call.
struct CheckpointSource {
  const TrainingArguments& arguments;
  const TrainPlan& plan;
  const TrainState& state;
  const TrainableModel& model;
  const Tokenizer& tokenizer;
  const AnswerSettings answer_settings;
  const DataFiles& data;
  const std::vector<Observer*>& observers;
  double next_rate = 0;                         // learning rate of the next step
  std::filesystem::path best_model_checkpoint;  // empty: none
  bool interruption =
      false;  // saved because the run was asked to stop; removed after the next save
};

// A checkpoint is written in two parts, which two threads may write at the same time. This is the
// large part: weights and optimiser state. Of `state` it reads only the step and the optimiser's.
void write_checkpoint_tensors(const TrainableModel& model, const Optimizer& optimizer,
                              const TrainState& state, const TrainingArguments& arguments,
                              double next_rate, DirectoryWriter& writer);
// Everything else.
void write_checkpoint_state(const CheckpointSource& source, DirectoryWriter& writer);
// spanforge.json's notes about the weights next to it: steps trained, data files.
Json training_notes(int64_t steps, const DataFiles& data);
// Bytes that a checkpoint of this model needs: a rough estimate, not too low.
uint64_t checkpoint_bytes(const TrainableModel& model, const OptimizerState& state);

// What can be read before a model is loaded.
struct CheckpointHead {
  std::filesystem::path directory;
  std::optional<TrainingArguments> arguments;  // nullopt: HF's checkpoint
  DataFiles data;                              // empty: HF's checkpoint
  std::optional<Computing> computing;          // nullopt: HF's, or an early one of ours
  std::string optimizer;                       // the optimiser of HF's checkpoint; "": it is ours
  bool has_tokenizer = false;
  int64_t train_batch_size = 0, max_steps = 0;  // as in trainer_state.json; 0: not there
  bool is_fallback = false;                     // newer checkpoints of its run are damaged
};
// Checks the whole directory: every hash of the manifest, or, without a manifest, that every file
// can be read.
CheckpointHead open_checkpoint(const std::filesystem::path& directory);

// Throws Error{kBadModel, directory} unless every file is as its manifest says.
void prove_whole(const std::filesystem::path& directory);

// The newest checkpoint of OUTPUT that is whole; nullopt if there is none. `skipped` receives a
// line for each newer one that is damaged. Throws Error{kIo} if none is whole and one could not be
// read, and NewerVersion if a newer spanforge wrote the one it would return: training must not
// replace what this program cannot see.
std::optional<CheckpointHead> newest_checkpoint(const OutputDirectory& output,
                                                std::vector<std::string>& skipped);

// Reads everything else. `model` must be the checkpoint's and `optimizer` of its kind. Observers
// with a saved state receive it. best_model_checkpoint receives trainer_state.json's; if a
// directory of that name is next to this checkpoint, it receives that one, so that a run may be
// moved. held: the part of the optimiser's state to read.
TrainState read_checkpoint_state(const CheckpointHead& head, const TrainableModel& model,
                                 const Optimizer& optimizer,
                                 const std::vector<Observer*>& observers,
                                 std::filesystem::path& best_model_checkpoint,
                                 std::vector<ElementRange> held = {});

// True for a checkpoint of ours that was saved because its run was asked to stop.
bool is_interruption_checkpoint(const std::filesystem::path& directory);

}  // namespace spanforge
