#pragma once
// A checkpoint of the tiny model after three steps. Its files can be replaced one at a time.

#include <map>

#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/early_stopping.h"
#include "spanforge/train/optimizer.h"
#include "spanforge/train/run_log.h"
#include "spanforge/train/state_files.h"
#include "spanforge/train/tensorboard.h"
#include "support.h"

namespace spanforge::fuzz {

inline TrainState tiny_state(const Optimizer& optimizer) {
  TrainState state;
  state.optimizer = optimizer.new_state();
  state.global_step = 3;
  state.epoch = 1.5;
  state.best_metric = 0.5;
  state.best_global_step = 2;
  LogLine line;
  line.step = 2;
  line.set("loss", 1.25);
  line.set("epoch", 1.0);
  state.log_history.push_back(line);
  return state;
}

inline TrainingArguments tiny_arguments(std::string_view optim) {
  TrainingArguments arguments;
  arguments.optim = find_spelling<OptimizerName>(optim).value();
  arguments.model = "model";
  arguments.train = "train.json";
  arguments.validation = "validation.json";
  arguments.output = "run";
  return arguments;
}

// Writes the checkpoint into `directory`, which it creates.
inline void write_checkpoint(const QuestionAnsweringModel& model, std::string_view optim,
                             const std::filesystem::path& directory) {
  spanforge::create_directories(directory);
  DirectoryWriter writer(directory);
  const TrainingArguments arguments = tiny_arguments(optim);
  const auto optimizer = make_optimizer(model, arguments);
  const TrainState state = tiny_state(*optimizer);
  const Tokenizer tokenizer = tiny_tokenizer();
  AnswerSettings settings;
  settings.windows = {24, 5};
  const DataFiles data = {{"train", {"train.json", std::string(64, '0')}}};
  EarlyStopping stopping(2, 0);
  RunLog log(directory / "log.jsonl");
  TensorBoard board(directory / "logs", true);
  const std::vector<Observer*> observers = {&stopping, &log, &board};
  write_checkpoint_tensors(model, *optimizer, state, arguments, 1e-5, writer);
  write_checkpoint_state({arguments,
                          {},
                          state,
                          model,
                          tokenizer,
                          settings,
                          data,
                          observers,
                          1e-5,
                          directory.parent_path() / "checkpoint-2"},
                         writer);
}

class CheckpointFiles {
 public:
  CheckpointFiles(const QuestionAnsweringModel& model, std::string_view optim,
                  std::filesystem::path directory)
      : directory_(std::move(directory)) {
    write_checkpoint(model, optim, directory_);
    // Weights and tokenizer are omitted: other targets test them, and every file is hashed each
    // time.
    for (const std::string& name : list_directory(directory_)) {
      const bool needed = name.ends_with("_state.json") || name == "optimizer.pt" ||
                          name == "training_args.json" || name == "spanforge.json";
      if (needed) {
        bytes_[name] = read_file(directory_ / name);
      } else {
        remove_tree(directory_ / name);
      }
    }
    write_manifest();
    bytes_[kManifestName] = read_file(directory_ / kManifestName);
  }

  // The manifest fits the new bytes, unless it is the replaced file.
  void replace(const std::string& name, std::string_view bytes) const {
    write_plain(directory_ / name, bytes);
    if (name != kManifestName) write_manifest();
  }
  void restore(const std::string& name) const {
    write_plain(directory_ / name, bytes_.at(name));
    write_plain(directory_ / kManifestName, bytes_.at(kManifestName));
  }
  const std::string& bytes(const std::string& name) const { return bytes_.at(name); }

 private:
  void write_manifest() const {
    DirectoryWriter not_durable(directory_, DirectoryWriter::Sync::kByCaller);
    spanforge::write_manifest(not_durable);
  }
  std::filesystem::path directory_;
  std::map<std::string, std::string> bytes_;
};

}  // namespace spanforge::fuzz
