#pragma once
// model.safetensors.index.json and its kin: which shard, a file beside it, holds which tensor.

#include <filesystem>
#include <map>
#include <string>

namespace spanforge {

// Tensor to shard; at least one. A shard's name stays in its directory and can be spoken of in one
// line: with a folder in it, it could read any file of the system.
// Errors: Error{kBadModel, index}.
std::map<std::string, std::string> read_weight_index(const std::filesystem::path& index);

}  // namespace spanforge
