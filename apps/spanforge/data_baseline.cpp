
#include "command.h"
#include "common.h"
#include "data_input.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/baseline.h"
#include "spanforge/data/soundness.h"
#include "spanforge/io/input_file.h"
#include "spanforge/metrics/squad.h"

namespace spanforge::app {
namespace {

Json score(const Dataset& dataset, const std::vector<std::string>& answers) {
  std::vector<SquadItem> items;
  for (size_t i = 0; i < answers.size(); ++i) {
    items.push_back(squad_item_of(dataset.examples[i]));
    items.back().prediction = answers[i];
  }
  MetricValues values = score_items(kSquadV2, items);
  values.resize(3);  // exact, f1, total
  return metric_values_json(values);
}

}  // namespace

int run_data_baseline(const Arguments& arguments) {
  std::string train_file, validation_file;
  std::vector<std::string> files;
  bool json = false;
  DataInput input;
  OptionTable table;
  table({"train", "data whose answers are counted", ""}, train_file);
  table({"validation", "data to answer; FILE means the same", ""}, validation_file);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data to answer", files, 0, 1);
  if (!table.parse(arguments)) return 0;
  table.require("train");
  if (files.empty()) table.require("validation");
  if (!files.empty() && !validation_file.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "validation"}, "cannot be used with FILE");
  }
  if (!files.empty()) validation_file = files[0];
  require_distinct_inputs({train_file, validation_file});
  const Dataset train = input.load(train_file), validation = input.load(validation_file);
  require_scorable(validation, false);
  require_references(validation);
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
