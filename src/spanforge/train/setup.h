#pragma once
// What: everything a run needs, read and proved before anything is written: model, tokenizer, data,
//   windows, the plan, and on resume the checkpoint's state.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/overlap.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/trainer.h"

namespace spanforge {

// A dataset with its windows.
struct PreparedData {
  Dataset dataset;
  FeatureSet features;
};

struct Setup {
  TrainingArguments arguments;
  QuestionAnsweringModel model;
  Tokenizer tokenizer;
  PreparedData train;
  std::optional<PreparedData> validation;
  Overlap overlap;  // of train and validation
  DataFiles data_files;
  AnswerSettings answer_settings;
  TrainPlan plan;
  std::optional<CheckpointHead> checkpoint;  // to resume from
};

// Notices and progress go to the observers. REQUIRES: arguments are resolved.
Setup prepare_setup(TrainingArguments arguments, std::optional<CheckpointHead> checkpoint,
                    const TrainContext& context);

}  // namespace spanforge
