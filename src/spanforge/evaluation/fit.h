#pragma once
// What: a model judged as it will be asked. On its predictions the two settings that only data can
//   tell are fitted: the temperature that makes scores honest (calibrate.h), then, with it in place,
//   the no-answer threshold; then the answers given under both are scored. Where the data are
//   several chunks, the temperature's sample of them is predicted first, by itself.
// Why one step: training logs these scores and stores these settings with the checkpoint, so that
//   evaluate() and Pipeline under the stored settings give the same answers and the same scores.
// What is fitted: nothing but the spanforge decoder; the others have their originals' rules, and
//   those know neither. The threshold: where "" may be answered and the data has questions with and
//   without an answer; else it is 0.
// Honesty: both are chosen on the very questions that are scored. The temperature hardly moves an
//   answer; the threshold does, so scores of data with unanswerable questions are optimistic by
//   that choice. Other data evaluated under the settings is free of it.

#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/evaluation/evaluate.h"

namespace spanforge {

struct FittedEvaluation {
  AnswerSettings settings;  // as given, with the temperature and the threshold found
  Evaluation evaluation;    // under these settings
};

// settings: decoder, longest answer, null_answers; temperature and threshold are not looked at.
// The windows must have been made with settings.windows. options.decoder is not looked at; on_answers
// is called with the answers as they are at threshold 0. Errors: those of evaluate().
FittedEvaluation fit_and_evaluate(const Predictor& model, const EvaluationData& data,
                                  const AnswerSettings& settings,
                                  const EvaluationOptions& options);

// The same from logits of all examples that are there already; runtime_seconds stays 0.
FittedEvaluation fit_predictions(const Dataset& dataset, const FeatureSet& features,
                                 const Predictions& predictions, const AnswerSettings& settings,
                                 const EvaluationOptions& options);

}  // namespace spanforge
