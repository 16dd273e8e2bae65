#include "spanforge/evaluation/evaluate.h"

#include <chrono>
#include <utility>

#include "spanforge/evaluation/evaluator.h"

namespace spanforge {

Evaluation evaluate_predictions(const Dataset& dataset, const FeatureSet& features,
                                const Predictions& predictions, const EvaluationOptions& options) {
  Evaluator evaluator(dataset, options);
  evaluator.add(features, predictions);
  return std::move(evaluator).finish();
}

Evaluation evaluate(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  Evaluator evaluator(data.dataset, options);
  predict_chunks(model, data, options, [&](const FeatureSet& chunk, const Predictions& predictions) {
    evaluator.add(chunk, predictions);
  });
  Evaluation evaluation = std::move(evaluator).finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  evaluation.runtime_seconds = seconds.count();
  return evaluation;
}

}  // namespace spanforge
