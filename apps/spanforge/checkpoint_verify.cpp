
#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/train/verify.h"

namespace spanforge::app {

int run_checkpoint_verify(const Arguments& arguments) {
  std::vector<std::string> directories;
  bool json = false;
  OptionTable table;
  table.add_switch(kJsonOption, json);
  table.positional("DIR", "a checkpoint, a trained model, or a training's output with all of its",
                   directories, 1, SIZE_MAX);
  if (!table.parse(arguments)) return 0;
  std::vector<VerifiedDirectory> all;
  for (const std::string& directory : directories) {
    for (VerifiedDirectory& one : verify_directories(directory)) all.push_back(std::move(one));
  }
  Json rows = Json::array();
  for (const VerifiedDirectory& one : all) {
    const std::string name = one.directory.string();
    rows.push_back({{"directory", name}, {"whole", one.whole()}, {"damage", one.damage}});
    if (!json) emit("{}: {}\n", name, one.whole() ? "whole" : one.damage);
  }
  if (json) print_json({{"directories", rows}});
  for (const VerifiedDirectory& one : all) {
    if (!one.whole()) throw Error(ErrorCode::kBadModel, one.directory.string(), one.damage);
  }
  return 0;
}

}  // namespace spanforge::app
