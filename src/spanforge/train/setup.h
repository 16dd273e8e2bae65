#pragma once
// What: everything a run needs, read and proved before anything is written: data, model, tokenizer,
//   windows, the plan, and on resume the checkpoint's state.
// Order of errors: the data's own, the model's configuration and tokenizer, what the options ask of
//   the two, what the data are to the tokenizer, the weights. Which thread finds an error first
//   does not matter.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/overlap.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/features/feature_chunks.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/evaluation_line.h"
#include "spanforge/train/trainer.h"

namespace spanforge {

struct TrainingData {
  Dataset dataset;
  FeatureSet features;  // without places
};

struct ValidationData {
  Dataset dataset;
  FeatureChunks chunks;
};

struct Setup {
  TrainingArguments arguments;
  std::unique_ptr<TrainableModel> model;
  Tokenizer tokenizer;
  TrainingData train;
  std::optional<ValidationData> validation;
  Overlap overlap;  // of train and validation
  DataFiles data_files;
  AnswerSettings answer_settings;
  EvaluationMetrics metrics;
  TrainPlan plan;
  std::optional<CheckpointHead> checkpoint;  // to resume from
};

// Notices and progress go to the observers. REQUIRES: arguments are resolved.
Setup prepare_setup(TrainingArguments arguments, std::optional<CheckpointHead> checkpoint,
                    const TrainContext& context);

}  // namespace spanforge
