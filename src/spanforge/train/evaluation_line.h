#pragma once
// What: the log line of an evaluation: which metrics it has, and which of its keys may say which
//   model is best. squad_v2 is always there; so is a metric that suits the validation data
//   (metrics/metric.h), and the one that reports the key of metric_for_best_model.
// Nothing here knows a metric by name: a new row in metrics/metric.cpp is logged and selected as it
//   stands.

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

// Error{kUsage, parameter "metric_for_best_model"}, which lists what there is, for what no
// evaluation has.
void require_metric_key(const std::string& metric);

struct EvaluationMetrics {
  std::vector<const Metric*> more;  // besides squad_v2
  std::string best_key;             // of metric_for_best_model, without "eval_"; "": none
  std::vector<std::string> advice;  // lines for the user
};

// Error{kUsage, parameter "metric_for_best_model"} as above, for a key that these data do not give,
// as NoAns_f1 where all questions have an answer. labels: of the dataset.
EvaluationMetrics choose_evaluation_metrics(
    const Dataset& validation, const LabelCounts& labels,
    const std::optional<std::string>& metric_for_best_model);

// eval_loss, eval_exact ..., eval_runtime, eval_samples_per_second, eval_steps_per_second, in HF's
// order; times and rates rounded as HF's. Samples are windows. Step 0, without epoch.
LogLine evaluation_line(const Evaluation& evaluation, const EvaluationMetrics& metrics,
                        int64_t batch_size);

}  // namespace spanforge
