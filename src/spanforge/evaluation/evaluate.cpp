#include "spanforge/evaluation/evaluate.h"

#include <chrono>
#include <utility>

#include "spanforge/base/threads.h"
#include "spanforge/evaluation/calibrate.h"
#include "spanforge/evaluation/evaluator.h"
#include "spanforge/parallel/group.h"
#include "spanforge/parallel/together.h"

namespace spanforge {
namespace {

// Runs work() on rank 0, while the others wait.
template <class Work>
void on_rank_0(const EvaluationOptions& options, const Work& work) {
  if (options.predict.group == nullptr) return work();
  work_together(*options.predict.group, [&] {
    if (options.predict.group->leads()) work();
  });
}

double temperature_of_sample(const Predictor& model, const EvaluationData& data,
                             const DecoderOptions& decoder, const EvaluationOptions& options) {
  const auto has_windows = [&](size_t example) { return data.chunks.has_windows(example); };
  const auto questions = static_cast<int64_t>(data.dataset.examples.size());
  const Dataset sample = select_examples(
      data.dataset, calibration_examples(data.dataset.examples.size(), has_windows));
  const FeatureSet features = FeatureSet::build(sample, data.tokenizer, data.chunks.options());
  PredictOptions predict = options.predict;
  predict.with_losses = false;
  predict.progress = [&](int64_t, int64_t) {
    if (options.progress) options.progress(0, questions);
  };
  const Predictions predictions = predict_all(model, features, predict);
  double temperature = 1;
  on_rank_0(options,
            [&] { temperature = fit_temperature(sample, features, predictions.logits, decoder); });
  return temperature;
}

void add_chunks(const Predictor& model, const EvaluationData& data,
                const EvaluationOptions& options, Evaluator& evaluator) {
  Workspace workspace;
  const auto questions = static_cast<int64_t>(data.dataset.examples.size());
  if (options.progress) options.progress(0, questions);  // the work begins here
  data.chunks.for_each(data.dataset, data.tokenizer, [&](const FeatureSet& chunk) {
    PredictOptions predict = options.predict;
    const auto before = static_cast<int64_t>(chunk.first_example());
    const auto here = static_cast<int64_t>(chunk.example_count());
    predict.progress = [&](int64_t done, int64_t batches) {
      if (options.progress) options.progress(before + here * done / batches, questions);
    };
    const Predictions predictions = predict_all(model, chunk, predict, &workspace);
    on_rank_0(options, [&] { evaluator.add(chunk, predictions); });
  });
}

}  // namespace

Evaluation evaluate(const Predictor& model, const EvaluationData& data,
                    const EvaluationOptions& options) {
  const ThreadScope scope(options.threads);
  const auto begin = std::chrono::steady_clock::now();
  Evaluator evaluator(data.dataset, options);
  if (evaluator.wants_temperature() && data.chunks.only() == nullptr) {
    evaluator.set_temperature(temperature_of_sample(model, data, evaluator.decoder(), options));
  }
  add_chunks(model, data, options, evaluator);
  Evaluation evaluation;
  on_rank_0(options, [&] { evaluation = std::move(evaluator).finish(); });
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  evaluation.runtime_seconds = seconds.count();
  return evaluation;
}

}  // namespace spanforge
