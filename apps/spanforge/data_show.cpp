#include <nlohmann/json.hpp>

#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/convert.h"

namespace spanforge::app {
namespace {

// The columns of the recipe's flattened rows.
Json shown_row(const Dataset& dataset, const Example& example) {
  const Json row = flat_row(dataset, example);
  Json out = Json::object();
  for (const char* key : {"id", "title", "context", "question", "answers"}) out[key] = row.at(key);
  return out;
}

Json features() { return {"id", "title", "context", "question", "answers"}; }

struct Split {
  std::string name;
  Dataset dataset;
};

void show_json(const std::vector<Split>& splits, size_t rows) {
  Json out = Json::object();
  for (const Split& split : splits) {
    Json list = Json::array();
    for (const Example& example : split.dataset.examples) {
      if (list.size() == rows) break;
      list.push_back(shown_row(split.dataset, example));
    }
    out[split.name] = {{"features", features()},
                       {"num_rows", split.dataset.examples.size()},
                       {"rows", std::move(list)}};
  }
  print_json(out);
}

void show_text(const std::vector<Split>& splits, size_t rows) {
  print("DatasetDict({\n");
  for (const Split& split : splits) {
    emit("    {}: Dataset({{\n        features: {},\n        num_rows: {}\n    }})\n", split.name,
         python_str(features()), split.dataset.examples.size());
  }
  print("})\n");
  for (const Split& split : splits) {
    emit("# {}\n", split.name);
    const size_t shown = std::min(rows, split.dataset.examples.size());
    for (size_t i = 0; i < shown && !output_closed(); ++i) {
      print(python_str(shown_row(split.dataset, split.dataset.examples[i])) + "\n");
    }
    const size_t left = split.dataset.examples.size() - shown;
    if (left > 0) emit("... {} more rows (--rows {} shows all)\n", left, shown + left);
  }
}

}  // namespace

int run_data_show(const Arguments& arguments) {
  std::string train, validation;
  std::vector<std::string> files;
  int64_t rows = 10;
  bool json = false;
  OptionTable table;
  table({"train", "training data", ""}, train);
  table({"validation", "validation data", ""}, validation);
  table({"rows", "rows to show of each file", ">= 0"}, rows);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data files, each a split named as the file", files, 0, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  std::vector<Split> splits;
  if (!train.empty()) splits.push_back({"train", load_dataset(train)});
  if (!validation.empty()) splits.push_back({"validation", load_dataset(validation)});
  for (const std::string& file : files) {
    splits.push_back({std::filesystem::path(file).stem().string(), load_dataset(file)});
  }
  if (splits.empty())
    throw Error(ErrorCode::kUsage, "FILE", "is missing; give files, --train or --validation");
  json ? show_json(splits, static_cast<size_t>(rows))
       : show_text(splits, static_cast<size_t>(rows));
  return 0;
}

}  // namespace spanforge::app
