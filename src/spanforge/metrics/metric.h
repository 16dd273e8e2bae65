#pragma once
// What: a metric is a row: its name, the keys it reports, what one answer earns, and what the
//   answers of an evaluation come to. Everything that scores goes through the rows: `evaluate`,
//   training's log, metric_for_best_model, `data baseline`.
// A new metric: a file with its row, and that row in the table in metric.cpp.
// Two steps, because an evaluation may choose its no-answer threshold after the last question: it
//   keeps the points of each answer and of "", but no texts.
// Errors: Error{kInternal} where a row reports a key that it does not name.

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

// One question and the answer given.
struct SquadItem {
  std::string id;
  std::vector<std::string> golds;  // all reference texts; empty: no answer
  std::string prediction;
  double no_answer_probability = 0.0;
  bool answered = true;  // false: there is no prediction; scores 0, never sets a threshold
};
// Golds and id of an example, prediction still empty.
SquadItem squad_item_of(const Example& example);

// What an answer earns, each 0 to 1. Their meaning is the metric's own.
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
  std::vector<ScoredAnswer> best;    // that are not "", where they may differ; empty: those given
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
  bool logged = true;  // in each line of training's log that has the metric; else only if selected
};

struct Metric {
  using Add = std::function<Points(const SquadItem&)>;

  std::string_view name;            // for `evaluate --metric`
  std::span<const MetricKey> keys;  // in the order of finish(), which may leave some out
  Add (*start)();  // makes the function that scores one answer; not to be shared between threads
  MetricValues (*finish)(const ScoreSheet& sheet);
  // Does training log it unasked on these data? null: never.
  bool (*suits)(const Dataset& dataset) = nullptr;
  // Where it suits the data: a line for a user who selects the best model by `key`; "": nothing to
  // say. null: never.
  std::string (*advice)(std::string_view key) = nullptr;
};

// Every metric; squad_v2, which is always computed, is the first.
std::span<const Metric* const> all_metrics();
// The metric that reports `key`; null: none does.
const Metric* metric_of_key(std::string_view key);
const MetricKey& key_row(std::string_view key);  // REQUIRES: a metric reports it

// The choices of `evaluate --metric`: "squad_v2|...|all", and the metrics besides squad_v2 that one
// of them means.
const std::string& metric_choices();
std::vector<const Metric*> chosen_metrics(std::string_view choice);

// The whole way for answers that are all there.
MetricValues score_items(const Metric& metric, const std::vector<SquadItem>& items,
                         double no_answer_threshold = 1.0, std::span<const size_t> tie_order = {});

// nullopt: not reported.
std::optional<double> find_number(const MetricValues& values, std::string_view key);
// {"exact": ..., "f1": ..., "cmrc2018_f1": ...}: as `evaluate` prints them.
Json metric_values_json(const MetricValues& values);

}  // namespace spanforge
