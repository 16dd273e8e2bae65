#include "spanforge/metrics/predictions_file.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/base/text_index.h"
#include "spanforge/io/input_file.h"

namespace spanforge {
namespace {

// The members of an object {question id: `wanted`}, in order.
template <class Value, class ReadValue>
std::vector<std::pair<std::string, Value>> parse_object(std::string_view text,
                                                        const std::string& place,
                                                        JsonReader::Kind kind, const char* wanted,
                                                        ReadValue&& read_value) {
  JsonReader in(text, place, ErrorCode::kBadData);
  if (const auto found = in.peek(); found != JsonReader::Kind::kObject) {
    in.fail(
        fmt::format("an object {{question id: {}}} is needed, found {}", wanted, kind_name(found)));
  }
  std::vector<std::pair<std::string, Value>> members;
  std::string id;
  for (in.begin_object(); in.next_key(id);) {
    if (const auto found = in.peek(); found != kind) {
      in.fail(fmt::format("question id {}: {} is needed, found {}", quote_for_message(id), wanted,
                          kind_name(found)));
    }
    members.emplace_back(std::move(id), read_value(in));
  }
  in.finish();
  return members;
}

PredictionScores score(const Dataset& dataset, const PredictionsFile& predictions,
                       const std::optional<OddsFile>& odds, double no_answer_threshold,
                       std::span<const Metric* const> more, const std::string& odds_place) {
  PredictionScores result;
  TextIndex position;  // id -> index into items
  const auto id_of = texts_in(result.items, &SquadItem::id);
  result.items.reserve(dataset.examples.size());
  position.reserve(dataset.examples.size());
  for (const Example& example : dataset.examples) {
    result.items.push_back(squad_item_of(example));
    result.items.back().answered = false;
    position.insert(example.id, result.items.size() - 1, id_of);
  }
  std::vector<size_t> prediction_order;
  for (const auto& [id, text] : predictions.texts) {
    const auto found = position.find(id, id_of);
    if (!found) {
      result.extra.push_back(id);
      continue;
    }
    if (text.empty() && !result.items[*found].golds.empty()) result.empty.push_back(id);
    result.items[*found].prediction = text;
    result.items[*found].answered = true;
    prediction_order.push_back(*found);
  }
  for (const SquadItem& item : result.items) {
    if (!item.answered) result.missing.push_back(item.id);
  }
  std::vector<size_t> odds_order;
  if (odds) {
    std::vector<bool> has_odds(result.items.size(), false);
    for (const auto& [id, value] : odds->odds) {
      if (!(value >= 0 && value <= 1)) result.improbable_odds.push_back(id);
      const auto found = position.find(id, id_of);
      if (!found) {
        result.extra_odds.push_back(id);
        continue;
      }
      result.items[*found].no_answer_probability = value;
      has_odds[*found] = true;
      odds_order.push_back(*found);
    }
    for (size_t i = 0; i < result.items.size(); ++i) {
      if (result.items[i].answered && !has_odds[i]) {
        throw Error(ErrorCode::kBadData, odds_place,
                    fmt::format("no odds for question id {}, which has a prediction",
                                quote_for_message(result.items[i].id)));
      }
    }
  }
  result.values = score_items(*all_metrics().front(), result.items, no_answer_threshold,
                              odds ? odds_order : prediction_order);
  for (const Metric* metric : more) {
    const MetricValues values = score_items(*metric, result.items);
    result.values.insert(result.values.end(), values.begin(), values.end());
  }
  return result;
}

}  // namespace

PredictionsFile parse_predictions(std::string_view json_text, const std::string& place) {
  return {parse_object<std::string>(json_text, place, JsonReader::Kind::kString, "answer text",
                                    [](JsonReader& in) { return in.read_string(); })};
}

OddsFile parse_odds(std::string_view json_text, const std::string& place) {
  return {parse_object<double>(
      json_text, place, JsonReader::Kind::kNumber, "number", [](JsonReader& in) {
        return std::visit([](auto x) { return static_cast<double>(x); }, in.read_number());
      })};
}

PredictionsFile load_predictions(const std::filesystem::path& file) {
  return parse_predictions(read_input(file), input_name(file).string());
}

OddsFile load_odds(const std::filesystem::path& file) {
  return parse_odds(read_input(file), input_name(file).string());
}

PredictionScores score_predictions(const Dataset& dataset, const PredictionsFile& predictions,
                                   const std::optional<OddsFile>& odds, double no_answer_threshold,
                                   std::span<const Metric* const> more) {
  return score(dataset, predictions, odds, no_answer_threshold, more, "odds");
}

PredictionScores score_predictions(const Dataset& dataset, const std::filesystem::path& predictions,
                                   const std::optional<std::filesystem::path>& odds,
                                   double no_answer_threshold,
                                   std::span<const Metric* const> more) {
  const PredictionsFile texts = load_predictions(predictions);
  std::optional<OddsFile> numbers;
  if (odds) numbers = load_odds(*odds);
  return score(dataset, texts, numbers, no_answer_threshold, more,
               odds ? input_name(*odds).string() : "odds");
}

}  // namespace spanforge
