#pragma once
// The two JSON files of a checkpoint's state: trainer_state.json (exactly HF's keys, sorted, indent
// 2) and the "progress" part of spanforge_state.json.

#include <filesystem>
#include <string>

#include "spanforge/base/json_view.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

// The text of trainer_state.json.
std::string trainer_state_text(const TrainingArguments& arguments, const TrainPlan& plan,
                               const TrainState& state,
                               const std::filesystem::path& best_model_checkpoint,
                               const Json& callbacks);
// Reads step, epoch, history and best. place: the file's name. Errors: Error{kBadModel, place}.
TrainState trainer_state_from_json(const Json& json, const std::string& place,
                                   std::filesystem::path& best_model_checkpoint);

Json progress_json(const TrainState& state);
void progress_from_json(const JsonView& json, TrainState& state);

}  // namespace spanforge
