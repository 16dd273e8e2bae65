#pragma once
// How commands that judge or use a trained model load it.

#include <filesystem>
#include <string>

#include "spanforge/model/answering_model.h"

namespace spanforge::app {

// "true", "false" or "auto" (bf16 where this processor is faster with it; a note says which).
Precision resolve_precision(const std::string& bf16);

// A model that training wrote is told to be whole before it is asked: the sizes of its files are
// those of its manifest (spanforge_manifest.json). with_hashes: there is a manifest, and every file
// it lists is there with its SHA-256. Errors: Error{kBadModel, directory}.
void verify_model(const std::filesystem::path& directory, bool with_hashes);

// source: the directory or id as the user named it. Notes stored weights that are not used, in
// Hugging Face's words.
AnsweringModel load_trained_model(const std::filesystem::path& directory, const std::string& source,
                                  Precision precision);

}  // namespace spanforge::app
