#pragma once
// What: Everything a run needs, read and checked before anything is written: data, model,
//   tokenizer, windows, the plan, and on resume the checkpoint's state.
// Order of errors: first those of the data; then the model's configuration and tokenizer; then what
//   options ask of the two; then how the data fit the tokenizer; last the weights. It does not
//   depend on which thread finds an error first.

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
  Overlap overlap;  // between train and validation
  DataFiles data_files;
  AnswerSettings answer_settings;
  EvaluationMetrics metrics;
  TrainPlan plan;
  std::optional<CheckpointHead> checkpoint;  // to resume from
};

// Sends notices and progress to the observers. REQUIRES: arguments are resolved.
Setup prepare_setup(TrainingArguments arguments, std::optional<CheckpointHead> checkpoint,
                    const TrainContext& context);

}  // namespace spanforge
