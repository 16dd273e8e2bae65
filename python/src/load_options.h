#pragma once
// How a model is loaded to answer or to be scored.

#include <string>

#include "options.h"
#include "spanforge/model/model_directory.h"
#include "spanforge/model/precision.h"

namespace spanforge::python {

struct LoadOptions {
  AutoBool bf16 = AutoBool::kFalse;
  bool verify = false;
  int32_t threads = 0;
};
void declare_load_options(app::OptionTable& table, LoadOptions& options);

// auto: bf16 if this processor is faster with it.
Precision precision_of(AutoBool bf16);

// The directory of a model's name; downloads it if it is a hub's. Without Python's lock.
ModelDirectory find_model(const std::string& model, bool verify);

}  // namespace spanforge::python
