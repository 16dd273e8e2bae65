#pragma once
// Loads the models that the command line of `serve` names.

#include <string>
#include <vector>

#include "spanforge/model/precision.h"
#include "spanforge/serve/memory.h"
#include "spanforge/serve/models.h"

namespace spanforge::app {

struct ModelToServe {
  std::string name;    // its name in requests
  std::string source;  // directory or hub id
};

struct LoadChoices {
  Precision precision = Precision::kF32;
  bool verify = false;  // first compares the files with the manifest
  int threads = 0;
};

// words: "NAME=DIR", or "DIR", whose last part is the name. Errors: Error{kUsage, parameter
// "model"} if two models have the same name.
std::vector<ModelToServe> parse_models(const std::vector<std::string>& words);

// The memory that a model takes with batches of batch_tokens. Errors: those of its configuration.
serve::ModelMemory estimate_served_model(const ModelToServe& model, const LoadChoices& choices,
                                         int64_t batch_tokens);

// Loads a model, with the same notes as `ask`, and answers a question, so that the first request
// does not wait for memory. Errors: those of loading.
serve::ModelPtr load_served_model(const ModelToServe& model, const LoadChoices& choices);

}  // namespace spanforge::app
