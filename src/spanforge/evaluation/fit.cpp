#include "spanforge/evaluation/fit.h"

#include <chrono>
#include <optional>
#include <utility>

#include "spanforge/evaluation/calibrate.h"
#include "spanforge/evaluation/evaluator.h"

namespace spanforge {
namespace {

AnswerSettings unfitted(AnswerSettings settings) {
  settings.temperature = AnswerSettings{}.temperature;
  settings.null_threshold = AnswerSettings{}.null_threshold;
  return settings;
}

double temperature_of_sample(const Predictor& model, const EvaluationData& data,
                             const DecoderOptions& decoder, const EvaluationOptions& options) {
  const auto has_windows = [&](size_t example) { return data.chunks.has_windows(example); };
  const Dataset sample =
      select_examples(data.dataset, calibration_examples(data.dataset.examples.size(), has_windows));
  const FeatureSet features = FeatureSet::build(sample, data.tokenizer, data.chunks.options());
  PredictOptions predict = options.predict;
  predict.with_losses = false;
  predict.progress = [&](int64_t, int64_t) {
    if (options.progress) options.progress(0, static_cast<int64_t>(data.dataset.examples.size()));
  };
  return fit_temperature(sample, features, predict_all(model, features, predict).logits, decoder);
}

// The steps of one evaluation.
class Fit {
 public:
  Fit(const Dataset& dataset, const AnswerSettings& settings, const EvaluationOptions& options)
      : dataset_(dataset), options_(options), fitted_(unfitted(settings)) {}

  bool wants_temperature() const { return fitted_.decoder == DecoderKind::kSpanforge; }
  DecoderOptions decoder() const { return fitted_.decoder_options(); }
  void set_temperature(double temperature) { fitted_.temperature = temperature; }

  // The next chunk, with the temperature in place.
  void add(const FeatureSet& chunk, const Predictions& predictions) {
    if (!evaluator_) {
      options_.decoder = decoder();
      evaluator_.emplace(dataset_, options_);
    }
    evaluator_->add(chunk, predictions);
  }

  FittedEvaluation finish() && {
    if (wants_temperature() && fitted_.null_answers) {
      if (const auto threshold = find_null_threshold(evaluator_->null_choices())) {
        fitted_.null_threshold = threshold->log_odds;
        evaluator_->set_null_threshold(threshold->log_odds);
      }
    }
    return {fitted_, std::move(*evaluator_).finish()};
  }

 private:
  const Dataset& dataset_;
  EvaluationOptions options_;
  AnswerSettings fitted_;
  std::optional<Evaluator> evaluator_;
};

}  // namespace

FittedEvaluation fit_predictions(const Dataset& dataset, const FeatureSet& features,
                                 const Predictions& predictions, const AnswerSettings& settings,
                                 const EvaluationOptions& options) {
  Fit fit(dataset, settings, options);
  if (fit.wants_temperature())
    fit.set_temperature(fit_temperature(dataset, features, predictions.logits, fit.decoder()));
  fit.add(features, predictions);
  return std::move(fit).finish();
}

FittedEvaluation fit_and_evaluate(const Predictor& model, const EvaluationData& data,
                                  const AnswerSettings& settings,
                                  const EvaluationOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  FittedEvaluation result;
  if (data.chunks.only() != nullptr) {
    predict_chunks(model, data, options, [&](const FeatureSet& all, const Predictions& predictions) {
      result = fit_predictions(data.dataset, all, predictions, settings, options);
    });
  } else {
    Fit fit(data.dataset, settings, options);
    if (fit.wants_temperature())
      fit.set_temperature(temperature_of_sample(model, data, fit.decoder(), options));
    predict_chunks(model, data, options,
                   [&](const FeatureSet& chunk, const Predictions& predictions) {
                     fit.add(chunk, predictions);
                   });
    result = std::move(fit).finish();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  result.evaluation.runtime_seconds = seconds.count();
  return result;
}

}  // namespace spanforge
