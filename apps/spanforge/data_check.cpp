#include <nlohmann/json.hpp>

#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/check.h"

namespace spanforge::app {

int run_data_check(const Arguments& arguments) {
  std::vector<std::string> files;
  bool json = false;
  OptionTable table;
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "data files; of each two, what they share", files, 1, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  std::vector<Dataset> datasets;
  datasets.reserve(files.size());
  for (const std::string& file : files) datasets.push_back(load_dataset(file));
  std::vector<const Dataset*> views;
  for (const Dataset& dataset : datasets) views.push_back(&dataset);
  const CheckReport report = check_datasets(views);
  if (json) {
    print_json(check_to_json(report, views));
  } else {
    print(check_to_text(report, views));
  }
  if (const auto verdict = check_verdict(report, views)) throw *verdict;
  return 0;
}

}  // namespace spanforge::app
