#pragma once
// The models of `serve`, as the command line names them.

#include <string>
#include <vector>

#include "spanforge/model/config.h"
#include "spanforge/serve/models.h"

namespace spanforge::app {

struct ModelToServe {
  std::string name;    // requests ask for it by this
  std::string source;  // directory or hub id
};

// "NAME=DIR" or "DIR", whose last part is the name. Error{kUsage, "--model"} where two have a name.
std::vector<ModelToServe> parse_models(const std::vector<std::string>& words);

// Loads it, with the notes of `ask`, and answers a question, so that the first request does not
// wait for memory. verify: against its manifest, first. Errors: those of loading.
serve::ModelPtr load_served_model(const ModelToServe& model, const std::string& bf16, bool verify);

}  // namespace spanforge::app
