#include "spanforge/metrics/metric.h"

#include "spanforge/base/error.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/metrics/word_f1.h"

namespace spanforge {
namespace {

constexpr const Metric* kMetrics[] = {&kSquadV2, &kCmrc2018, &kWordF1};
constexpr std::string_view kAll = "all";

const MetricKey* key_in(const Metric& metric, std::string_view key) {
  for (const MetricKey& row : metric.keys) {
    if (row.name == key) return &row;
  }
  return nullptr;
}

}  // namespace

SquadItem squad_item_of(const Example& example) {
  SquadItem item;
  item.id = example.id;
  for (const Answer& answer : example.answers) item.golds.push_back(answer.text);
  return item;
}

ScoredAnswer scored_answer(const SquadItem& item, const Points& points) {
  return {.points = points,
          .no_answer_probability = item.no_answer_probability,
          .has_golds = !item.golds.empty(),
          .predicts_text = !item.prediction.empty(),
          .answered = item.answered};
}

std::span<const Metric* const> all_metrics() { return kMetrics; }

const Metric* metric_of_key(std::string_view key) {
  for (const Metric* metric : kMetrics) {
    if (key_in(*metric, key) != nullptr) return metric;
  }
  return nullptr;
}

const MetricKey& key_row(std::string_view key) {
  const Metric* metric = metric_of_key(key);
  if (metric == nullptr) {
    throw Error(ErrorCode::kInternal, {.where = "metrics"},
                "no row names the key " + std::string(key));
  }
  return *key_in(*metric, key);
}

const std::string& metric_choices() {
  static const std::string choices = [] {
    std::string text;
    for (const Metric* metric : kMetrics) text.append(metric->name) += '|';
    return text.append(kAll);
  }();
  return choices;
}

std::vector<const Metric*> chosen_metrics(std::string_view choice) {
  std::vector<const Metric*> chosen;
  for (const Metric* metric : all_metrics().subspan(1)) {
    if (choice == kAll || choice == metric->name) chosen.push_back(metric);
  }
  return chosen;
}

MetricValues score_items(const Metric& metric, const std::vector<SquadItem>& items,
                         double no_answer_threshold, std::span<const size_t> tie_order) {
  ScoreSheet sheet;
  sheet.no_answer_threshold = no_answer_threshold;
  sheet.tie_order.assign(tie_order.begin(), tie_order.end());
  sheet.given.reserve(items.size());
  const Metric::Add add = metric.start();
  for (const SquadItem& item : items) sheet.given.push_back(scored_answer(item, add(item)));
  return metric.finish(sheet);
}

std::optional<double> find_number(const MetricValues& values, std::string_view key) {
  for (const MetricValue& value : values) {
    if (value.key != key) continue;
    return std::visit([](auto number) { return static_cast<double>(number); }, value.number);
  }
  return std::nullopt;
}

Json metric_values_json(const MetricValues& values) {
  Json json = Json::object();
  for (const MetricValue& value : values) {
    const std::string_view printed = key_row(value.key).printed;
    Json& member = json[printed.empty() ? value.key : printed];
    std::visit([&](auto number) { member = number; }, value.number);
  }
  return json;
}

}  // namespace spanforge
