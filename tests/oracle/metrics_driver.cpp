// Metrics over JSON, for oracle_metrics.py: metrics_driver MODE < input > output.
//   normalize  [text...]                    -> [normalised...]
//   f1         [[gold, prediction]...]      -> [[exact, f1]...]
//   squad      {golds, predictions, odds?}  -> squad_v2's object; golds {id: [text...]}
//   cmrc       {golds, predictions}         -> {f1, exact}
#include <iostream>
#include <iterator>

#include "spanforge/base/json.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/predictions_file.h"
#include "spanforge/metrics/squad.h"

namespace {

using spanforge::Json;

spanforge::PredictionScores score(const Json& input) {
  spanforge::Dataset dataset;
  for (const auto& [id, golds] : input.at("golds").items()) {
    spanforge::Example& example = dataset.examples.emplace_back();
    example.id = id;
    for (const Json& gold : golds) example.answers.push_back({gold.get<std::string>(), 0});
  }
  spanforge::PredictionsFile predictions;
  for (const auto& [id, text] : input.at("predictions").items()) {
    predictions.texts.emplace_back(id, text.get<std::string>());
  }
  std::optional<spanforge::OddsFile> odds;
  if (input.contains("odds")) {
    odds.emplace();
    for (const auto& [id, value] : input.at("odds").items())
      odds->odds.emplace_back(id, value.get<double>());
  }
  return spanforge::score_predictions(dataset, predictions, odds);
}

Json run(const std::string& mode, const Json& input) {
  Json output = Json::array();
  if (mode == "normalize") {
    for (const Json& text : input)
      output.push_back(spanforge::squad_normalize(text.get<std::string>()));
  } else if (mode == "f1") {
    for (const Json& pair : input) {
      const auto gold = pair.at(0).get<std::string>(), prediction = pair.at(1).get<std::string>();
      output.push_back(
          {spanforge::squad_exact(gold, prediction), spanforge::squad_f1(gold, prediction)});
    }
  } else if (mode == "squad") {
    output = spanforge::metric_values_json(score(input).values);
  } else if (mode == "cmrc") {
    const auto values = spanforge::score_items(spanforge::kCmrc2018, score(input).items);
    output = {{"f1", spanforge::find_number(values, "cmrc_f1").value()},
              {"exact", spanforge::find_number(values, "cmrc_exact").value()}};
  } else {
    throw spanforge::Error(spanforge::ErrorCode::kUsage, {.where = "MODE"}, "unknown: " + mode);
  }
  return output;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const Json input =
        spanforge::parse_json(text, "standard input", spanforge::ErrorCode::kBadData);
    std::cout << spanforge::dump_python_json(run(argc > 1 ? argv[1] : "", input)) << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
