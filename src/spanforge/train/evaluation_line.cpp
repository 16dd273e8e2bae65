#include "spanforge/train/evaluation_line.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"

namespace spanforge {
namespace {

constexpr std::string_view kPrefix = "eval_";
constexpr std::string_view kLoss = "loss";
constexpr std::array<std::string_view, 3> kTimes = {"runtime", "samples_per_second",
                                                    "steps_per_second"};

std::string without_prefix(const std::string& metric) {
  return metric.starts_with(kPrefix) ? metric.substr(kPrefix.size()) : metric;
}

std::vector<std::string> evaluation_keys() {
  std::vector<std::string> keys = {std::string(kLoss)};
  for (const Metric* metric : all_metrics()) {
    for (const MetricKey& key : metric->keys) keys.emplace_back(key.name);
  }
  keys.insert(keys.end(), kTimes.begin(), kTimes.end());
  return keys;
}

bool contains(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// The keys of evaluation_keys() that an evaluation on these data has. They do not depend on the
// answers.
std::vector<std::string> keys_of(const Dataset& dataset, const LabelCounts& labels) {
  std::vector<std::string> keys;
  if (labels.aligned + labels.truncated + labels.impossible > 0) keys.emplace_back(kLoss);
  ScoreSheet blank;
  for (const Example& example : dataset.examples) {
    blank.given.push_back({.has_golds = !example.answers.empty()});
  }
  for (const Metric* metric : all_metrics()) {
    for (const MetricValue& value : metric->finish(blank)) keys.emplace_back(value.key);
  }
  keys.insert(keys.end(), kTimes.begin(), kTimes.end());
  return keys;
}

}  // namespace

std::string metric_key(const std::string& metric) {
  return std::string(kPrefix) + without_prefix(metric);
}

void require_metric_key(const std::string& metric) {
  const std::vector<std::string> keys = evaluation_keys();
  if (contains(keys, without_prefix(metric))) return;
  throw Error(ErrorCode::kUsage, {.parameter = "metric_for_best_model"},
              fmt::format("'{}' is not a metric of the evaluation, which has {}",
                          quote_for_message(metric), join(keys, ", ")));
}

EvaluationMetrics choose_evaluation_metrics(
    const Dataset& validation, const LabelCounts& labels,
    const std::optional<std::string>& metric_for_best_model) {
  EvaluationMetrics chosen;
  if (metric_for_best_model) {
    chosen.best_key = without_prefix(*metric_for_best_model);
    const std::vector<std::string> keys = keys_of(validation, labels);
    if (!contains(keys, chosen.best_key)) {
      throw Error(ErrorCode::kUsage, {.parameter = "metric_for_best_model"},
                  fmt::format("an evaluation on {} has no {}; it has {}", validation.file.string(),
                              chosen.best_key, join(keys, ", ")));
    }
  }
  const Metric* selected = metric_of_key(chosen.best_key);
  for (const Metric* metric : all_metrics().subspan(1)) {
    const bool suits = metric->suits != nullptr && metric->suits(validation);
    if (suits || metric == selected) chosen.more.push_back(metric);
    if (!suits || metric->advice == nullptr) continue;
    const std::string line = metric->advice(chosen.best_key);
    if (!line.empty()) chosen.advice.push_back("`metric_for_best_model`: " + line);
  }
  return chosen;
}

LogLine evaluation_line(const Evaluation& evaluation, const EvaluationMetrics& metrics,
                        int64_t batch_size) {
  LogLine line;
  const auto set = [&](std::string_view key, LogValue value) {
    line.values.emplace_back(std::string(kPrefix).append(key), std::move(value));
  };
  if (evaluation.loss) set(kLoss, *evaluation.loss);
  for (const MetricValue& value : evaluation.values) {
    if (!key_row(value.key).logged && value.key != metrics.best_key) continue;
    std::visit([&](auto number) { set(value.key, number); }, value.number);
  }
  const double seconds = evaluation.runtime_seconds;
  set(kTimes[0], python_round(seconds, 4));
  if (seconds > 0) {
    const auto samples = static_cast<double>(evaluation.window_count);
    const double steps = std::ceil(samples / static_cast<double>(batch_size));
    set(kTimes[1], python_round(samples / seconds, 3));
    set(kTimes[2], python_round(steps / seconds, 3));
  }
  return line;
}

}  // namespace spanforge
