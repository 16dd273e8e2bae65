// squad_workload CASE
// CASE: {"golds": {id: [text...]}, "predictions": {id: text}, "odds": {id: number}}. A run scores
// it with squad_v2, on one thread, and reports the scores.

#include <string>

#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/metrics/predictions_file.h"
#include "workload.h"

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 2) return 2;
  return bench::guarded([&] {
    const auto input = parse_json_file(argv[1], ErrorCode::kBadData);
    Dataset dataset;
    PredictionsFile predictions;
    OddsFile odds;
    for (const auto& [id, golds] : input.at("golds").items()) {
      Example& example = dataset.examples.emplace_back();
      example.id = id;
      for (const auto& gold : golds) example.answers.push_back({gold.get<std::string>(), 0});
      predictions.texts.emplace_back(id, input.at("predictions").at(id).get<std::string>());
      odds.odds.emplace_back(id, input.at("odds").at(id).get<double>());
    }
    bench::answer_runs([&]() -> Json {
      const MetricValues values = score_predictions(dataset, predictions, odds).values;
      const auto number = [&](const char* key) { return find_number(values, key).value(); };
      return {{"exact", number("exact")}, {"f1", number("f1")}, {"best_f1", number("best_f1")}};
    });
  });
}
