#pragma once
// What: A metric is a row: its name, its keys, the points of one answer, and the numbers of an
//   evaluation. All scoring uses the rows: `evaluate`, training's log, metric_for_best_model, `data
//   baseline`.
// A new metric: a file with its row, and that row in the table in metric.cpp.
// Two steps: an evaluation may choose its no-answer threshold after the last question. So it keeps
//   the points of each answer and of "", but no texts.
// Errors: Error{kInternal} if a row reports a key that it does not name.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

// One question and its given answer.
struct SquadItem {
  std::string id;
  std::vector<std::string> golds;  // all reference texts; empty: no answer
  std::string prediction;
  double no_answer_probability = 0.0;
  bool answered = true;  // false: there is no prediction; it scores 0 and never sets a threshold
};
// The golds and id of an example, without a prediction.
SquadItem squad_item_of(const Example& example);

// The points of an answer, each 0 to 1. Their meaning depends on the metric.
using Points = std::array<double, 3>;

struct ScoredAnswer {
  Points points{};
  double no_answer_probability = 0.0;
  bool has_golds = false, predicts_text = false, answered = true;
};
ScoredAnswer scored_answer(const SquadItem& item, const Points& points);

// All answers of an evaluation, by question.
struct ScoreSheet {
  std::vector<ScoredAnswer> given;
  std::vector<ScoredAnswer>
      best;  // best answers that are not "", if they may differ; empty: those given
  double no_answer_threshold = 1.0;  // squad_v2's
  std::vector<size_t> tie_order;     // squad_v2's; empty: the questions' order
};

using MetricNumber = std::variant<int64_t, double>;  // a count, or a measure
struct MetricValue {
  std::string_view key;  // of the row's
  MetricNumber number;
};
using MetricValues = std::vector<MetricValue>;

struct MetricKey {
  std::string_view name;          // in logs after "eval_", and for metric_for_best_model
  std::string_view printed = {};  // as `evaluate` prints it; empty: the name
  bool logged =
      true;  // true: in each line of training's log that has the metric; false: only if selected
};

struct Metric {
  using Add = std::function<Points(const SquadItem&)>;

  std::string_view name;            // for `evaluate --metric`
  std::span<const MetricKey> keys;  // in the order of finish(), which may skip some
  Add (*start)();  // makes the function that scores one answer; threads must not share it
  MetricValues (*finish)(const ScoreSheet& sheet);
  // True if training should log it on these data unasked. null: never.
  bool (*suits)(const Dataset& dataset) = nullptr;
  // If it suits the data: a line for a user who selects the best model by `key`; "": no advice.
  // null: never any advice.
  std::string (*advice)(std::string_view key) = nullptr;
};

// All metrics. The first is squad_v2, which is always computed.
std::span<const Metric* const> all_metrics();
// The metric that reports `key`; null if there is none.
const Metric* metric_of_key(std::string_view key);
const MetricKey& key_row(std::string_view key);  // REQUIRES: a metric reports it

// The choices of `evaluate --metric`: "squad_v2|...|all", and the metrics in addition to squad_v2
// that a choice means.
const std::string& metric_choices();
std::vector<const Metric*> chosen_metrics(std::string_view choice);

// Scores a complete list of answers.
MetricValues score_items(const Metric& metric, const std::vector<SquadItem>& items,
                         double no_answer_threshold = 1.0, std::span<const size_t> tie_order = {});

// nullopt: not reported.
std::optional<double> find_number(const MetricValues& values, std::string_view key);
// {"exact": ..., "f1": ..., "cmrc2018_f1": ...}: as `evaluate` prints them.
Json metric_values_json(const MetricValues& values);

}  // namespace spanforge
