#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/weights.h"
#include "staged_directory.h"

namespace spanforge::app {
namespace {

bool is_weight_file(const fs::path& file) {
  const std::string extension = file.extension().string();
  const std::string name = file.filename().string();
  return extension == ".bin" || extension == ".safetensors" || extension == ".h5" ||
         extension == ".msgpack" || name.ends_with(".index.json") || name.starts_with(".");
}

}  // namespace

int run_model_convert(const Arguments& arguments) {
  std::string model, output;
  OptionTable table;
  table(kModelOption, model);
  table({"output", "directory to make", "", "output_dir"}, output);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  table.require("output");
  const fs::path source = resolve_model(model);
  const WeightFiles weights(source);
  StagedDirectory directory(output);
  write_safetensors(directory.path() / "model.safetensors", weights.tensors());
  for (const auto& entry : fs::directory_iterator(source)) {
    if (!entry.is_regular_file() || is_weight_file(entry.path())) continue;
    write_file_atomic(directory.path() / entry.path().filename(), read_file(entry.path()));
  }
  directory.commit();
  emit("{}: {} tensors of {} as model.safetensors, and the other files\n", output,
       weights.tensors().size(), weights.path().filename().string());
  return 0;
}

}  // namespace spanforge::app
