#pragma once
// Reads model.safetensors.index.json and pytorch_model.bin.index.json, which say in which shard (a
// file in the same directory) each tensor is.

#include <filesystem>
#include <map>
#include <string>

namespace spanforge {

// Returns the shard of each tensor; at least one. A shard's name holds no folder (it could name any
// file of the system) and no control character.
// Errors: Error{kBadModel, index}.
std::map<std::string, std::string> read_weight_index(const std::filesystem::path& index);

}  // namespace spanforge
