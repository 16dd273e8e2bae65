#include "spanforge/train/checkpoint.h"

#include <algorithm>
#include <future>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/train/optimizer_file.h"
#include "spanforge/train/state_files.h"

namespace spanforge {
namespace {

constexpr int kFormat = 1;
constexpr const char* kStateFile = "spanforge_state.json";
constexpr const char* kArgumentsFile = "training_args.json";
constexpr const char* kOptimizerFile = "optimizer.pt";
constexpr const char* kTrainerStateFile = "trainer_state.json";
constexpr int kTimesHistory = 8;  // a long run's log lines must not make its checkpoints unreadable

// HF's record of its control flow, without which its next save fails, and of its early stopping.
Json stateful_callbacks(const TrainingArguments& a, const std::vector<Observer*>& observers) {
  const auto callback = [](Json arguments, Json attributes) {
    return Json{{"args", std::move(arguments)}, {"attributes", std::move(attributes)}};
  };
  Json callbacks = Json::object();
  callbacks["TrainerControl"] = callback({{"should_training_stop", false},
                                          {"should_epoch_stop", false},
                                          {"should_save", false},
                                          {"should_evaluate", false},
                                          {"should_log", false}},
                                         Json::object());
  for (const Observer* observer : observers) {
    if (observer->name() != "early_stopping") continue;
    callbacks["EarlyStoppingCallback"] =
        callback({{"early_stopping_patience", a.early_stopping_patience.value_or(1)},
                  {"early_stopping_threshold", a.early_stopping_threshold}},
                 {{"early_stopping_patience_counter", observer->save_state().value("counter", 0)}});
  }
  return callbacks;
}

Json spanforge_state(const CheckpointSource& source) {
  Json data = Json::object();
  for (const auto& [option, file] : source.data)
    data[option] = {{"file", file.file}, {"sha256", file.sha256}};
  const Computing computing = computing_of(source.model);
  Json observers = Json::object();
  for (const Observer* observer : source.observers) {
    if (!observer->name().empty()) observers[observer->name()] = observer->save_state();
  }
  return {{"format", kFormat},
          {"data", std::move(data)},
          {"computing",
           {{"threads", computing.threads},
            {"instructions", computing.instructions},
            {"precision", computing.precision}}},
          {"interruption", source.interruption},
          {"progress", progress_json(source.state)},
          {"observers", std::move(observers)}};
}

Json read_spanforge_state(const fs::path& file) {
  Json json = parse_json_file(file, ErrorCode::kBadModel, kTimesHistory);
  const int64_t format = JsonView(json, file.string()).at("format").integer(0);
  if (format > kFormat) throw NewerVersion(file, static_cast<uint64_t>(format), kFormat);
  if (format != kFormat) {
    throw Error(ErrorCode::kBadModel, file.string(),
                fmt::format("is of format {}, this version reads {}", format, kFormat));
  }
  return json;
}

// Some files of the checkpoint were deleted, or it was saved by save_only_model. The error says
// that a file is missing, so that `last` does not start over if this is the only checkpoint.
void require_optimizer(const fs::path& directory) {
  const fs::path file = directory / kOptimizerFile;
  const bool has_weights = !find_weight_file(directory).empty() || is_adapter_directory(directory);
  if (path_exists(file) || !has_weights) return;
  throw Error(ErrorCode::kIo, file.string(),
              fmt::format("is not there: the checkpoint has weights, but no optimiser's state to "
                          "resume from; to start anew from its weights give `model` {}",
                          quote_for_message(directory.string(), directory.string().size())));
}

// Without a manifest there is nothing to compare with, so every file must at least be readable.
// Returns the optimiser whose state optimizer.pt holds.
std::string prove_foreign_checkpoint(const fs::path& directory) {
  if (path_exists(directory / kStateFile)) {
    throw Error(ErrorCode::kBadModel, directory.string(),
                "is a checkpoint of spanforge without its manifest");
  }
  const TorchFile optimizer(directory / kOptimizerFile);
  if (is_adapter_directory(directory)) {
    read_adapter_config(directory);  // and its weights are read with the base's
  } else {
    WeightFiles{directory};
  }
  return std::string(optimizer_of_file(optimizer.root(), optimizer.path().string()));
}

// Returns 0 if the key is missing or not a count.
int64_t count_of(const JsonView& json, const char* key) {
  const auto found = json.find(key);
  return found && found->value().is_number_integer() ? found->integer() : 0;
}

DataFiles data_files(const JsonView& json) {
  DataFiles data;
  for (const auto& [option, entry] : json.members()) {
    data[option] = {entry.at("file").string(), entry.at("sha256").string()};
  }
  return data;
}

std::optional<Computing> computing_from(const JsonView& json) {
  const auto found = json.find("computing");
  if (!found) return std::nullopt;
  return Computing{.threads = static_cast<int>(found->at("threads").integer(0, INT32_MAX)),
                   .instructions = found->at("instructions").string(),
                   .precision = found->at("precision").string()};
}

}  // namespace

void write_checkpoint_tensors(const TrainableModel& model, const Optimizer& optimizer,
                              const TrainState& state, const TrainingArguments& arguments,
                              double next_rate, DirectoryWriter& writer) {
  // The two large files at the same time: hashing them takes a thread each.
  std::future<void> written = std::async(std::launch::async, [&] {
    write_optimizer_file(writer.create(kOptimizerFile), model, optimizer, state.optimizer,
                         arguments, state.global_step, next_rate);
  });
  model.save(writer);
  written.get();
}

void write_checkpoint_state(const CheckpointSource& source, DirectoryWriter& writer) {
  source.tokenizer.save(writer);
  save_answer_settings(source.answer_settings,
                       training_notes(source.state.global_step, source.data), writer);
  write_scheduler_file(writer.create("scheduler.pt"), source.arguments, source.state.global_step,
                       source.next_rate);
  write_rng_file(writer.create("rng_state.pth"), source.arguments.seed);
  writer.write(
      kTrainerStateFile,
      trainer_state_text(source.arguments, source.plan, source.state, source.best_model_checkpoint,
                         stateful_callbacks(source.arguments, source.observers)));
  writer.write_json(kArgumentsFile, arguments_json(source.arguments));
  writer.write_json(kStateFile, spanforge_state(source));
}

Json training_notes(int64_t steps, const DataFiles& data) {
  Json notes = {{"steps", steps}};
  for (const auto& [option, file] : data) {
    notes[option] = {{"file", fs::path(file.file).filename().string()}, {"sha256", file.sha256}};
  }
  return notes;
}

uint64_t checkpoint_bytes(const TrainableModel& model, const OptimizerState& state) {
  constexpr uint64_t kBesidesTensors = 16 << 20;
  return model.saved_bytes() + state.bytes() + kBesidesTensors;
}

CheckpointHead open_checkpoint(const fs::path& directory) {
  if (!directory_exists(directory)) {
    throw Error(ErrorCode::kIo, directory.string(), "is not a directory with a checkpoint");
  }
  require_optimizer(directory);
  const bool ours = has_manifest(directory);
  if (ours) prove_whole(directory);
  CheckpointHead head;
  head.directory = directory;
  head.has_tokenizer =
      has_tokenizer([&](const std::string& name) { return path_exists(directory / name); });
  const fs::path trainer_file = directory / kTrainerStateFile;
  const Json state = parse_json_file(trainer_file, ErrorCode::kBadModel, kTimesHistory);
  const JsonView trainer_state(state, trainer_file.string());
  head.train_batch_size = count_of(trainer_state, "train_batch_size");
  head.max_steps = count_of(trainer_state, "max_steps");
  if (!ours) {
    head.optimizer = prove_foreign_checkpoint(directory);
    return head;
  }
  const fs::path arguments = directory / kArgumentsFile;
  head.arguments =
      arguments_from_json(parse_json_file(arguments, ErrorCode::kBadModel), arguments.string());
  const fs::path file = directory / kStateFile;
  const Json ours_only = read_spanforge_state(file);
  const JsonView view(ours_only, file.string());
  head.data = data_files(view.at("data"));
  head.computing = computing_from(view);
  return head;
}

Computing computing_of(const TrainableModel& model) {
  return {.threads = thread_count(),
          .instructions = ops::instruction_set(),
          .precision = model.precision() == Precision::kBF16 ? "bf16" : "fp32"};
}

void prove_whole(const fs::path& directory) {
  if (const auto difference = find_manifest_difference(directory)) {
    throw Error(ErrorCode::kBadModel, directory.string(), "is damaged: " + *difference);
  }
}

std::optional<CheckpointHead> newest_checkpoint(const OutputDirectory& output,
                                                std::vector<std::string>& skipped) {
  std::vector<int64_t> steps = output.checkpoints();
  std::reverse(steps.begin(), steps.end());
  std::optional<Error> unreadable;
  for (const int64_t step : steps) {
    const fs::path directory = output.checkpoint(step);
    try {
      if (path_exists(directory / kTrainerStateFile)) {
        CheckpointHead head = open_checkpoint(directory);
        head.is_fallback = !skipped.empty();
        return head;
      }
      skipped.push_back(directory.string() + ": has no " + kTrainerStateFile);
    } catch (const NewerVersion&) {
      throw;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kBadModel && error.code() != ErrorCode::kIo) throw;
      if (error.code() == ErrorCode::kIo && !unreadable) unreadable = error;
      skipped.emplace_back(error.what());
    }
  }
  if (unreadable) throw *unreadable;
  return std::nullopt;
}

TrainState read_checkpoint_state(const CheckpointHead& head, const TrainableModel& model,
                                 const Optimizer& optimizer,
                                 const std::vector<Observer*>& observers,
                                 fs::path& best_model_checkpoint, std::vector<ElementRange> held) {
  const fs::path trainer_file = head.directory / kTrainerStateFile;
  TrainState state =
      trainer_state_from_json(parse_json_file(trainer_file, ErrorCode::kBadModel, kTimesHistory),
                              trainer_file.string(), best_model_checkpoint);
  if (!best_model_checkpoint.empty()) {  // the run may have been moved, or started elsewhere
    fs::path here = head.directory.lexically_normal();
    if (!here.has_filename()) here = here.parent_path();  // "run/checkpoint-3/"
    const fs::path beside = here.parent_path() / best_model_checkpoint.filename();
    if (path_exists(beside)) best_model_checkpoint = beside;
  }
  if (state.global_step > 0) {
    state.optimizer = read_optimizer_file(head.directory / kOptimizerFile, model, optimizer,
                                          state.global_step, std::move(held));
  } else {
    state.optimizer = optimizer.new_state(std::move(held));
  }
  if (!head.arguments) return state;

  const fs::path file = head.directory / kStateFile;
  const Json json = read_spanforge_state(file);
  const JsonView view(json, file.string());
  progress_from_json(view.at("progress"), state);
  const JsonView saved = view.at("observers").object();
  for (Observer* observer : observers) {
    if (observer->name().empty()) continue;
    if (const auto found = saved.find(observer->name())) observer->load_state(*found);
  }
  return state;
}

bool is_interruption_checkpoint(const fs::path& directory) {
  const fs::path file = directory / kStateFile;
  if (!path_exists(file)) return false;
  try {
    const Json json = parse_json_file(file, ErrorCode::kBadModel, kTimesHistory);
    const Json* interruption = json.find("interruption");
    return interruption != nullptr && *interruption == true;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel) throw;
  }
  return false;  // damaged: it is not known to be superfluous
}

}  // namespace spanforge
