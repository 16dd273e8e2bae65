#include "spanforge/metrics/predictions_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/json.h"

namespace spanforge {
namespace {

Json parse_object(std::string_view text, const std::string& place, const char* wanted) {
  Json json = parse_json(text, place, ErrorCode::kBadData);
  if (!json.is_object()) {
    throw Error(
        ErrorCode::kBadData, place,
        fmt::format("an object {{question id: {}}} is needed, found {}", wanted, json.type_name()));
  }
  return json;
}

PredictionScores score(const Dataset& dataset, const PredictionsFile& predictions,
                       const std::optional<OddsFile>& odds, double no_answer_threshold,
                       const std::string& odds_place) {
  PredictionScores result;
  std::unordered_map<std::string_view, size_t> position;  // id -> index into items
  result.items.reserve(dataset.examples.size());
  for (const Example& example : dataset.examples) {
    position.emplace(example.id, result.items.size());
    result.items.push_back(squad_item_of(example));
    result.items.back().answered = false;
  }
  std::vector<size_t> prediction_order;
  for (const auto& [id, text] : predictions.texts) {
    const auto found = position.find(id);
    if (found == position.end()) {
      result.extra.push_back(id);
      continue;
    }
    if (text.empty() && !result.items[found->second].golds.empty()) result.empty.push_back(id);
    result.items[found->second].prediction = text;
    result.items[found->second].answered = true;
    prediction_order.push_back(found->second);
  }
  for (const SquadItem& item : result.items) {
    if (!item.answered) result.missing.push_back(item.id);
  }
  std::vector<size_t> odds_order;
  if (odds) {
    std::vector<bool> has_odds(result.items.size(), false);
    for (const auto& [id, value] : odds->odds) {
      const auto found = position.find(id);
      if (found == position.end()) {
        result.extra_odds.push_back(id);
        continue;
      }
      result.items[found->second].no_answer_probability = value;
      has_odds[found->second] = true;
      odds_order.push_back(found->second);
    }
    for (size_t i = 0; i < result.items.size(); ++i) {
      if (result.items[i].answered && !has_odds[i]) {
        throw Error(ErrorCode::kBadData, odds_place,
                    fmt::format("no odds for question id {}, which has a prediction",
                                quote_for_message(result.items[i].id)));
      }
    }
  }
  result.squad = squad_v2(result.items, no_answer_threshold, odds ? odds_order : prediction_order);
  return result;
}

}  // namespace

SquadItem squad_item_of(const Example& example) {
  SquadItem item;
  item.id = example.id;
  for (const Answer& answer : example.answers) item.golds.push_back(answer.text);
  return item;
}

PredictionsFile parse_predictions(std::string_view json_text, const std::string& place) {
  PredictionsFile result;
  const Json json = parse_object(json_text, place, "answer text");
  for (const auto& [id, text] : json.items()) {
    if (!text.is_string()) {
      throw Error(ErrorCode::kBadData, place,
                  fmt::format("question id {}: the answer must be a string, found {}",
                              quote_for_message(id), text.type_name()));
    }
    result.texts.emplace_back(id, text.get<std::string>());
  }
  return result;
}

OddsFile parse_odds(std::string_view json_text, const std::string& place) {
  OddsFile result;
  const Json json = parse_object(json_text, place, "number");
  for (const auto& [id, value] : json.items()) {
    if (!value.is_number()) {
      throw Error(ErrorCode::kBadData, place,
                  fmt::format("question id {}: the odds must be a number, found {}",
                              quote_for_message(id), value.type_name()));
    }
    result.odds.emplace_back(id, value.get<double>());
  }
  return result;
}

PredictionsFile load_predictions(const std::filesystem::path& file) {
  return parse_predictions(read_file(file), file.string());
}

OddsFile load_odds(const std::filesystem::path& file) {
  return parse_odds(read_file(file), file.string());
}

PredictionScores score_predictions(const Dataset& dataset, const PredictionsFile& predictions,
                                   const std::optional<OddsFile>& odds,
                                   double no_answer_threshold) {
  return score(dataset, predictions, odds, no_answer_threshold, "odds");
}

PredictionScores score_predictions(const Dataset& dataset, const std::filesystem::path& predictions,
                                   const std::optional<std::filesystem::path>& odds,
                                   double no_answer_threshold) {
  const PredictionsFile texts = load_predictions(predictions);
  std::optional<OddsFile> numbers;
  if (odds) numbers = load_odds(*odds);
  return score(dataset, texts, numbers, no_answer_threshold, odds ? odds->string() : "odds");
}

}  // namespace spanforge
