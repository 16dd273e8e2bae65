#pragma once
// Recognizes weights in a directory that WeightFiles does not read: other frameworks' files
// (io/foreign_weights.h) and torch files under another name. Looks only at names and first bytes.
// For the error that says what a directory holds in place of model.safetensors, and how to convert
// it.

#include <filesystem>
#include <optional>
#include <string>

namespace spanforge {

// "has no model.safetensors or pytorch_model.bin, but tf_model.h5, TensorFlow weights: convert with
// ...". nullopt: the directory holds no such file. If it holds no weights, also looks for a model
// in its subfolders. Errors: Error{kIo} if the directory cannot be read.
std::optional<std::string> describe_other_weights(const std::filesystem::path& directory);

// Throws that as Error{kBadModel, directory} if the directory has such weights and none that
// WeightFiles reads.
void refuse_other_weights(const std::filesystem::path& directory);

}  // namespace spanforge
