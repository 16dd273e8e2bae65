#pragma once
// Weights in a directory that WeightFiles does not read: other frameworks' files
// (io/foreign_weights.h), torch files under another name. They are told by their names and first
// bytes; nothing of them is parsed. For the line that says what a directory holds in place of
// model.safetensors, and how to convert it.

#include <filesystem>
#include <optional>
#include <string>

namespace spanforge {

// "has no model.safetensors or pytorch_model.bin, but tf_model.h5, TensorFlow weights: convert with
// ...". nullopt: the directory holds no such file. Looks at the directory itself and, where it
// holds nothing, for a model one folder down. Errors: Error{kIo} where the directory cannot be
// read.
std::optional<std::string> describe_other_weights(const std::filesystem::path& directory);

// Error{kBadModel, directory} that says so, where the directory has no weights that WeightFiles
// reads and has others. Returns in every other case.
void refuse_other_weights(const std::filesystem::path& directory);

}  // namespace spanforge
