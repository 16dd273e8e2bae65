#pragma once
// How commands that judge or use a trained model load it.

#include <string>

#include "spanforge/base/options.h"
#include "spanforge/model/answering_model.h"
#include "spanforge/model/model_directory.h"

namespace spanforge::app {

// auto: bf16 where this processor is faster with it; a note says which.
Precision resolve_precision(AutoBool bf16);

// --verify: the model has a manifest (spanforge_manifest.json), and every file that it lists is
// there with its SHA-256; so has an adapter, and its base where it has a manifest. Errors:
// Error{kBadModel, directory}.
void verify_model(const ModelDirectory& model);

// After everything has loaded: the report's notes, and one line that names the files that were
// changed since spanforge saved the model; an adapter's base is a model of its own.
void note_loaded(const ModelDirectory& model, const LoadReport& report);

// source: the directory or id as the user named it. Notes stored weights that are not used, in
// Hugging Face's words.
AnsweringModel load_trained_model(const ModelDirectory& directory, const std::string& source,
                                  Precision precision);

}  // namespace spanforge::app
