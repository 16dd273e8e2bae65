#pragma once
// Recognizes weights of other frameworks by their files' names and says how to convert them. For
// the error about a model without weights that this program reads.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace spanforge {

// names: of a model's files. Describes the first known one: "has no model.safetensors or
// pytorch_model.bin, but tf_model.h5, TensorFlow weights: convert with ...". nullopt: none is
// known.
std::optional<std::string> find_foreign_weights(std::span<const std::string> names);

// The same text for a file that the caller recognized by something other than its name.
std::string describe_foreign_weights(const std::string& name, std::string_view what,
                                     std::string_view way);

}  // namespace spanforge
