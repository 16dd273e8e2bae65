#include <algorithm>
#include <array>

#include "command.h"
#include "common.h"
#include "data_input.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/convert.h"
#include "spanforge/data/show.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {
namespace {

struct Split {
  std::string name;
  Dataset dataset;
};

void show_json(const std::vector<Split>& splits, int64_t rows) {
  constexpr std::array kColumns = {"id", "title", "context", "question", "answers"};
  Json out = Json::object();
  for (const auto& [name, dataset] : splits) {
    Json list = Json::array();
    for (const Example& example : dataset.examples) {
      if (rows >= 0 && list.size() == static_cast<size_t>(rows)) break;
      const Json row = flat_row(dataset, example);
      Json shown = Json::object();
      for (const char* column : kColumns) shown[column] = row.at(column);
      list.push_back(std::move(shown));
    }
    out[name] = {
        {"features", kColumns}, {"num_rows", dataset.examples.size()}, {"rows", std::move(list)}};
  }
  print_json(out);
}

// A split has its file's name, or the whole path if another split already has that name.
std::string free_name(const std::string& file, const std::vector<Split>& splits) {
  for (std::string name : {input_name(file).stem().string(), input_name(file).string()}) {
    const auto same = [&](const Split& split) { return split.name == name; };
    if (std::none_of(splits.begin(), splits.end(), same)) return name;
  }
  throw Error(ErrorCode::kUsage, file, "is given twice");
}

}  // namespace

int run_data_show(const Arguments& arguments) {
  std::string train, validation;
  std::vector<std::string> files;
  int64_t rows = 10;
  bool json = false;
  DataInput input;
  OptionTable table;
  table({"train", "training data", ""}, train);
  table({"validation", "validation data", ""}, validation);
  table({"rows", "rows to show of each file; -1: all", ">= -1"}, rows);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data files, each a split named as the file", files, 0, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  std::vector<std::filesystem::path> inputs(files.begin(), files.end());
  inputs.insert(inputs.end(), {train, validation});
  require_distinct_inputs(inputs);
  std::vector<Split> splits;
  if (!train.empty()) splits.push_back({"train", input.load(train)});
  if (!validation.empty()) splits.push_back({"validation", input.load(validation)});
  for (const std::string& file : files) {
    splits.push_back({free_name(file, splits), input.load(file)});
  }
  if (splits.empty()) {
    throw Error(ErrorCode::kUsage, {.where = "FILE"},
                "is missing; give files, --train or --validation");
  }
  if (json) return show_json(splits, rows), 0;
  std::vector<std::pair<std::string, const Dataset*>> views;
  for (const Split& split : splits) views.emplace_back(split.name, &split.dataset);
  print(show_datasets(views, rows));
  return 0;
}

}  // namespace spanforge::app
