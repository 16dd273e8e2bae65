#include "spanforge/evaluation/fit.h"

#include <chrono>

#include "spanforge/evaluation/calibrate.h"

namespace spanforge {

AnswerSettings fit_settings(const Dataset& dataset, const FeatureSet& features,
                            const LogitSet& logits, const AnswerSettings& settings) {
  AnswerSettings fitted = settings;
  fitted.temperature = AnswerSettings{}.temperature;
  fitted.null_threshold = AnswerSettings{}.null_threshold;
  if (settings.decoder != DecoderKind::kSpanforge) return fitted;
  fitted.temperature = fit_temperature(dataset, features, logits, fitted.decoder_options());
  if (!settings.null_answers) return fitted;
  const auto decoded = decode_all(dataset, features, logits, fitted.decoder_options());
  if (const auto threshold = find_null_threshold(dataset, decoded)) {
    fitted.null_threshold = threshold->log_odds;
  }
  return fitted;
}

FittedEvaluation fit_and_evaluate(const Predictor& model, const Dataset& dataset,
                                  const FeatureSet& features, const AnswerSettings& settings,
                                  const EvaluationOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  const Predictions predictions = predict_all(model, features, options.predict);
  FittedEvaluation result;
  result.settings = fit_settings(dataset, features, predictions.logits, settings);
  EvaluationOptions fitted = options;
  fitted.decoder = result.settings.decoder_options();
  result.evaluation = evaluate_predictions(dataset, features, predictions, fitted);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  result.evaluation.runtime_seconds = seconds.count();
  return result;
}

}  // namespace spanforge
