#pragma once
// A model's directory as its user names it: a whole model, or a LoRA adapter, whose base model lies
// elsewhere. Everything that reads a model takes this; a path alone is a whole model.

#include <concepts>
#include <filesystem>
#include <functional>
#include <string>

namespace spanforge {

struct ModelDirectory {
  std::filesystem::path path;  // adapter, settings, and all else where it is a whole model
  std::filesystem::path base;  // config.json and the weights; the same as path but for an adapter

  ModelDirectory() = default;
  template <std::convertible_to<std::filesystem::path> P>
  ModelDirectory(const P& whole) : path(whole), base(whole) {}  // NOLINT: a path is a model
  ModelDirectory(std::filesystem::path adapter, std::filesystem::path base_model)
      : path(std::move(adapter)), base(std::move(base_model)) {}
  bool is_adapter() const { return path != base; }
  // Where the tokenizer's files lie: path, or, of an adapter without any, base.
  std::filesystem::path tokenizer() const;
};

// True where adapter_config.json stands and no whole model's weights do.
bool is_adapter_directory(const std::filesystem::path& directory);

// Finds an adapter's base by base_model_name_or_path: a directory, as written or beside the adapter, else
// what `resolve` makes of it (a hub's id); a base that is an adapter itself is refused.
// Errors: Error{kBadModel, adapter_config.json}; whatever resolve throws.
ModelDirectory find_base(const std::filesystem::path& directory,
                         const std::function<std::filesystem::path(const std::string&)>& resolve);

}  // namespace spanforge
