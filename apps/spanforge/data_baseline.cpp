#include <nlohmann/json.hpp>

#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/data/baseline.h"
#include "spanforge/metrics/predictions_file.h"

namespace spanforge::app {
namespace {

Json score(const Dataset& dataset, const std::vector<std::string>& answers) {
  std::vector<SquadItem> items;
  for (size_t i = 0; i < answers.size(); ++i) {
    items.push_back(squad_item_of(dataset.examples[i]));
    items.back().prediction = answers[i];
  }
  const SquadScores scores = squad_v2(items);
  return {{"exact", scores.exact}, {"f1", scores.f1}, {"total", scores.total}};
}

}  // namespace

int run_data_baseline(const Arguments& arguments) {
  std::string train_file, validation_file;
  bool json = false;
  OptionTable table;
  table({"train", "data whose answers are counted", ""}, train_file);
  table({"validation", "data to answer", ""}, validation_file);
  table.add_switch(kJsonOption, json);
  if (!table.parse(arguments)) return 0;
  table.require("train");
  table.require("validation");
  const Dataset train = load_dataset(train_file), validation = load_dataset(validation_file);
  const Json report = {
      {"longest_overlap", score(validation, overlap_baseline(validation))},
      {"most_frequent_answer", score(validation, frequency_baseline(train, validation))}};
  if (json) return print_json(report), 0;
  for (const auto& [name, scores] : report.items()) {
    emit("baseline {:<22} {}\n", name, python_str(scores));
  }
  return 0;
}

}  // namespace spanforge::app
