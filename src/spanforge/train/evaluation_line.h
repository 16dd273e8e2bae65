#pragma once
// What: The log line of an evaluation: its metrics, and the keys that may choose the best model. It
//   always has squad_v2, the metric that suits the validation data (metrics/metric.h), and the
//   metric that reports the key of metric_for_best_model.
// No metric is named here: a new row in metrics/metric.cpp is logged and can be selected.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/metrics/metric.h"
#include "spanforge/train/log_line.h"

namespace spanforge {

// "f1" and "eval_f1" are the same metric; the second is its key in a log line.
std::string metric_key(const std::string& metric);

// Throws Error{kUsage, parameter "metric_for_best_model"} listing the known metrics if no
// evaluation has `metric`.
void require_metric_key(const std::string& metric);

struct EvaluationMetrics {
  std::vector<const Metric*> more;  // besides squad_v2
  std::string best_key;             // of metric_for_best_model, without "eval_"; "": none
  std::vector<std::string> advice;  // lines for the user
};

// The same error also for a key that these data do not give, such as NoAns_f1 if all questions
// have an answer. labels: of the dataset.
EvaluationMetrics choose_evaluation_metrics(
    const Dataset& validation, const LabelCounts& labels,
    const std::optional<std::string>& metric_for_best_model);

// eval_loss, eval_exact ..., eval_runtime, eval_samples_per_second, eval_steps_per_second, in HF's
// order, with HF's rounding of times and rates. Samples are windows. The step is 0, and there is no
// epoch.
LogLine evaluation_line(const Evaluation& evaluation, const EvaluationMetrics& metrics,
                        int64_t batch_size);

}  // namespace spanforge
