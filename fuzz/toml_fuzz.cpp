// Any bytes as the configuration file of a training: an Error{kUsage}, or valid options
// that stay the same when they are saved with a checkpoint and read again.

#include "options.h"
#include "spanforge/train/arguments.h"
#include "support.h"

namespace {

using namespace spanforge;

app::OptionTable table_of(TrainingArguments& arguments) {
  app::OptionTable table;
  visit_training_arguments(arguments, table);
  return table;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static TrainingArguments arguments;
  static const app::OptionTable fresh = table_of(arguments);
  arguments = {};
  app::OptionTable table = fresh;  // costs half of making one
  try {
    table.apply_config(fuzz::view_of(data, size), "fuzzed.toml");
    resolve_arguments(arguments);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kUsage && !error.place().text().empty());
    return 0;
  }
  const Json saved = arguments_json(arguments);
  fuzz::require(arguments_json(arguments_from_json(saved, "saved")) == saved);
  return 0;
}
