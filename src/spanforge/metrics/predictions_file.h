#pragma once
// What: Scores a file of predictions without a model, like the official SQuAD script.
// Files: predictions {"question id": "text", ...}; odds {"question id": number, ...}, as run_qa
//   writes them. Odds are used unchanged: one above no_answer_threshold counts as "no answer".
// Order: Among equal odds, the search for best_* follows the odds file, else the predictions file.
// Errors: Error{kBadData} naming the file and the id for a text or number of the wrong type, and
//   for a prediction whose odds are missing; the reference fails there, too.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/metrics/metric.h"

namespace spanforge {

struct PredictionsFile {
  std::vector<std::pair<std::string, std::string>> texts;  // id, text; in file order
};
struct OddsFile {
  std::vector<std::pair<std::string, double>> odds;
};
PredictionsFile load_predictions(const std::filesystem::path& file);
OddsFile load_odds(const std::filesystem::path& file);
// The same from text. place: its name in messages.
PredictionsFile parse_predictions(std::string_view json_text, const std::string& place);
OddsFile parse_odds(std::string_view json_text, const std::string& place);

struct PredictionScores {
  MetricValues values;                  // squad_v2's, then those of the metrics in `more`
  std::vector<SquadItem> items;         // by example
  std::vector<std::string> missing;     // ids of the dataset without a prediction: they score 0
  std::vector<std::string> extra;       // predicted ids that the dataset does not have: not scored
  std::vector<std::string> extra_odds;  // the same for odds
  // ids whose odds cannot be a probability: below 0, above 1 or not a number. Log odds look so.
  std::vector<std::string> improbable_odds;
  std::vector<std::string> empty;  // ids predicted "" although the dataset has an answer
};

// more: the metrics in addition to squad_v2. Threshold and odds are used by squad_v2 alone.
PredictionScores score_predictions(const Dataset& dataset, const PredictionsFile& predictions,
                                   const std::optional<OddsFile>& odds,
                                   double no_answer_threshold = 1.0,
                                   std::span<const Metric* const> more = {});
// The same from files, whose names messages then contain.
PredictionScores score_predictions(const Dataset& dataset, const std::filesystem::path& predictions,
                                   const std::optional<std::filesystem::path>& odds,
                                   double no_answer_threshold = 1.0,
                                   std::span<const Metric* const> more = {});

}  // namespace spanforge
