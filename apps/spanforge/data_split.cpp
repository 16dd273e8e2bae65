
#include "command.h"
#include "common.h"
#include "data_input.h"
#include "data_output.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/split.h"
#include "spanforge/io/staging.h"

namespace spanforge::app {

int run_data_split(const Arguments& arguments) {
  std::vector<std::string> files;
  SplitOptions options;
  std::string by = "context", output;
  bool overwrite = false, json = false;
  DataInput input;
  OptionTable table;
  table({"validation", "share of the questions that becomes validation data", "> 0"},
        options.validation_share);
  table({"by", "what the two files must not share: context", ""}, by);
  table({"seed", "seed of the choice; the order of the rows does not matter", ">= 0"},
        options.seed);
  table({"output", "directory for train.json and validation.json", "", "output_dir"}, output);
  table({"overwrite", "replace the two files if they are there already", ""}, overwrite);
  input.declare(table);
  table.add_switch(kJsonOption, json);
  table.positional("FILE", "the data file to split", files, 1, 1);
  if (!table.parse(arguments)) return 0;
  table.require("output");
  if (by != "context") throw Error(ErrorCode::kUsage, {.parameter = "by"}, "must be context");
  const fs::path train = fs::path(output) / "train.json",
                 validation = fs::path(output) / "validation.json";
  for (const fs::path& file : {train, validation}) {
    check_output(file, files[0], overwrite);
  }
  const SplitResult split = split_by_context(input.load(files[0]), options);
  FileGroup group{fs::path(output)};
  group.fill([&](DirectoryWriter& writer) {
    save_squad(split.train, writer.create(train.filename()));
    save_squad(split.validation, writer.create(validation.filename()));
  });
  group.commit();
  if (json) {
    print_json(
        {{"train", {{"file", train.string()}, {"questions", split.train.examples.size()}}},
         {"validation",
          {{"file", validation.string()}, {"questions", split.validation.examples.size()}}}});
  } else {
    emit("{}: {} questions\n{}: {} questions\n", train.string(), split.train.examples.size(),
         validation.string(), split.validation.examples.size());
  }
  return 0;
}

}  // namespace spanforge::app
