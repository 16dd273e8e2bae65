#pragma once
// The options of `ask` and `evaluate` that say how a model is asked. The Python module has them,
// too.

#include "options.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/inference/pipeline.h"

namespace spanforge::app {

void declare_ask_options(OptionTable& table, AskOptions& options);

struct ScoreOptions {
  AnswerOverlay asked;
  int32_t batch_size = 8;
};
void declare_score_options(OptionTable& table, ScoreOptions& options);

}  // namespace spanforge::app
