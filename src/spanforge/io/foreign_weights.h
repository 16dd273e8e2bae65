#pragma once
// Weights of other frameworks, told by their files' names: what they are, and how to convert them.
// For the line about a model that has none of the weights that are read here.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spanforge {

// "has no model.safetensors or pytorch_model.bin, but tf_model.h5, TensorFlow weights: convert with
// ..." of the first name that is known; nullopt: none is. names: of a model's files.
std::optional<std::string> find_foreign_weights(std::span<const std::string> names);

// The same words for a file that something else than its name told.
std::string describe_foreign_weights(const std::string& name, std::string_view what,
                                     std::string_view way);

}  // namespace spanforge
