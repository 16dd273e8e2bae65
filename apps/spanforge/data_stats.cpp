#include <optional>

#include "command.h"
#include "common.h"
#include "data_input.h"
#include "output.h"
#include "spanforge/data/stats.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {

int run_data_stats(const Arguments& arguments) {
  std::vector<std::string> files;
  std::string model;
  bool json = false;
  DataInput input;
  OptionTable table;
  table({"model", "directory or hub id whose tokenizer counts tokens; none: characters only", ""},
        model);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data files", files, 1, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  require_distinct_inputs({files.begin(), files.end()});
  std::optional<Tokenizer> tokenizer;
  if (!model.empty())
    tokenizer.emplace(Tokenizer::from_directory(resolve_model(model).tokenizer()));
  std::vector<DataStats> stats;
  for (const std::string& file : files) {
    stats.push_back(compute_stats(input.load(file), tokenizer ? &*tokenizer : nullptr));
  }
  if (!json) {
    for (const DataStats& one : stats) print(stats_to_text(one));
    return 0;
  }
  Json list = Json::array();
  for (const DataStats& one : stats) list.push_back(stats_to_json(one));
  print_json({{"files", std::move(list)}});
  return 0;
}

}  // namespace spanforge::app
