#pragma once
// The models of `serve`, as the command line names them.

#include <string>
#include <vector>

#include "spanforge/model/precision.h"
#include "spanforge/serve/memory.h"
#include "spanforge/serve/models.h"

namespace spanforge::app {

struct ModelToServe {
  std::string name;    // requests ask for it by this
  std::string source;  // directory or hub id
};

struct LoadChoices {
  Precision precision = Precision::kF32;
  bool verify = false;  // against its manifest, first
  int threads = 0;
};

// "NAME=DIR" or "DIR", whose last part is the name. Error{kUsage, parameter "model"} where two have
// a name.
std::vector<ModelToServe> parse_models(const std::vector<std::string>& words);

// Memory that it takes, with batches of so many tokens. Errors: those of its configuration.
serve::ModelMemory estimate_served_model(const ModelToServe& model, const LoadChoices& choices,
                                         int64_t batch_tokens);

// Loads it, with the notes of `ask`, and answers a question, so that the first request does not
// wait for memory. Errors: those of loading.
serve::ModelPtr load_served_model(const ModelToServe& model, const LoadChoices& choices);

}  // namespace spanforge::app
