#pragma once
// How commands load a trained model.

#include <string>

#include "spanforge/base/options.h"
#include "spanforge/model/answering_model.h"
#include "spanforge/model/model_directory.h"

namespace spanforge::app {

// auto: bf16 if this processor is faster with it. A note says which was chosen.
Precision resolve_precision(AutoBool bf16);

// --verify: checks that the model has a manifest (spanforge_manifest.json) and that every file in
// it exists with its SHA-256. For an adapter, also checks its base if that has a manifest. Errors:
// Error{kBadModel, directory}.
void verify_model(const ModelDirectory& model);

// Call this after everything is loaded. Prints the report's notes, and one line that names the
// files that were changed since spanforge saved the model. An adapter's base counts as a separate
// model.
void note_loaded(const ModelDirectory& model, const LoadReport& report);

// source: the directory or id as the user named it. Notes stored weights that are not used, in
// Hugging Face's words.
AnsweringModel load_trained_model(const ModelDirectory& directory, const std::string& source,
                                  Precision precision);

}  // namespace spanforge::app
