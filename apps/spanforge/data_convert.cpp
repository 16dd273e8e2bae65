#include "command.h"
#include "common.h"
#include "data_input.h"
#include "data_output.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/data/convert.h"
#include "spanforge/io/staging.h"

namespace spanforge::app {

int run_data_convert(const Arguments& arguments) {
  std::vector<std::string> files;
  std::string form = "nested", output;
  bool overwrite = false;
  DataInput input;
  OptionTable table;
  const std::string forms = choices<DataForm>();
  table({"to",
         "form to write: SQuAD v2.0 (nested or squad), flat rows under \"data\", a row a line, "
         "a table, or Label Studio's tasks",
         forms},
        form);
  table({"output", "file to write", ""}, output);
  table({"overwrite", "replace the file if it is there already", ""}, overwrite);
  input.declare(table);
  table.positional("FILE", "the data file to read", files, 1, 1);
  if (!table.parse(arguments)) return 0;
  table.require("output");
  const DataForm kind = find_spelling<DataForm>(form).value();  // the table accepts no other word
  const fs::path file(output);
  if (!file.has_filename())
    throw Error(ErrorCode::kUsage, {.parameter = "output"}, "must name a file");
  check_output(file, files[0], overwrite);
  const Dataset dataset = input.load(files[0]);
  FileGroup group(file.has_parent_path() ? file.parent_path() : fs::path("."));
  group.fill([&](DirectoryWriter& writer) {
    write_dataset(dataset, kind, writer.create(file.filename()));
  });
  group.commit();
  emit("{}: {} questions as {}\n", output, dataset.examples.size(), form);
  return 0;
}

}  // namespace spanforge::app
