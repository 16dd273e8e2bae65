#include <fmt/core.h>

#include <cmath>
#include <cstdlib>

#include "spanforge/evaluation/evaluate.h"

namespace spanforge {
namespace {

// round(value, digits) of Python: the decimal that is nearest to the exact binary value.
double rounded(double value, int digits) {
  return std::strtod(fmt::format("{:.{}f}", value, digits).c_str(), nullptr);
}

}  // namespace

Json squad_scores_json(const SquadScores& scores) {
  Json json = {{"exact", scores.exact}, {"f1", scores.f1}, {"total", scores.total}};
  const auto part = [&](const char* prefix, const std::optional<SquadScores::Part>& value) {
    if (!value) return;
    json[fmt::format("{}_exact", prefix)] = value->exact;
    json[fmt::format("{}_f1", prefix)] = value->f1;
    json[fmt::format("{}_total", prefix)] = value->total;
  };
  part("HasAns", scores.has_answer);
  part("NoAns", scores.no_answer);
  const auto best = [&](const char* key, const std::optional<double>& value) {
    if (value) json[key] = *value;
  };
  best("best_exact", scores.best_exact);
  best("best_exact_thresh", scores.best_exact_thresh);
  best("best_f1", scores.best_f1);
  best("best_f1_thresh", scores.best_f1_thresh);
  return json;
}

Json trainer_metrics_json(const Evaluation& evaluation, int64_t batch_size,
                          std::optional<double> epoch) {
  Json json = Json::object();
  if (evaluation.loss) json["eval_loss"] = *evaluation.loss;
  const Json scores = squad_scores_json(evaluation.squad);
  for (const auto& [key, value] : scores.items()) json[fmt::format("eval_{}", key)] = value;
  const double seconds = evaluation.runtime_seconds;
  json["eval_runtime"] = rounded(seconds, 4);
  if (seconds > 0) {
    const auto samples = static_cast<double>(evaluation.window_count);
    json["eval_samples_per_second"] = rounded(samples / seconds, 3);
    json["eval_steps_per_second"] =
        rounded(std::ceil(samples / static_cast<double>(batch_size)) / seconds, 3);
  }
  if (epoch) json["epoch"] = *epoch;
  return json;
}

}  // namespace spanforge
