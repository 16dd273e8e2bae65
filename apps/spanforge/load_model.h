#pragma once
// How commands that judge or use a trained model load it.

#include <filesystem>
#include <string>

#include "spanforge/model/answering_model.h"

namespace spanforge::app {

// "true", "false" or "auto" (bf16 where this processor is faster with it; a note says which).
Precision resolve_precision(const std::string& bf16);

// --verify: the model has a manifest (spanforge_manifest.json), and every file that it lists is there
// with its SHA-256. Errors: Error{kBadModel, directory}.
void verify_model(const std::filesystem::path& directory);

// After everything has loaded: the report's notes, and one line that names the files that were
// changed since spanforge saved the model.
void note_loaded(const std::filesystem::path& directory, const LoadReport& report);

// source: the directory or id as the user named it. Notes stored weights that are not used, in
// Hugging Face's words.
AnsweringModel load_trained_model(const std::filesystem::path& directory, const std::string& source,
                                  Precision precision);

}  // namespace spanforge::app
