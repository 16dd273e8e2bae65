#pragma once
// A model's directory as the user names it: a whole model, or a LoRA adapter with its base model in
// another directory. All code that reads a model takes this; a path alone is a whole model.

#include <concepts>
#include <filesystem>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace spanforge {

struct ModelDirectory {
  std::filesystem::path path;  // the adapter and its settings; of a whole model, everything
  std::filesystem::path base;  // config.json and the weights; equal to path unless it is an adapter
  // The base's name on a hub, if it comes from one. An adapter that is trained on it names it so.
  std::string hub_id, hub_revision;  // "org/name"; "": the default revision

  ModelDirectory() = default;
  // A whole model. Takes anything that converts to a path.
  template <class Path>
  requires std::convertible_to<Path, std::filesystem::path> &&
      (!std::same_as<std::remove_cvref_t<Path>, ModelDirectory>)ModelDirectory(Path&& whole)
      : path(std::forward<Path>(whole)), base(path) {}  // NOLINT
  ModelDirectory(std::filesystem::path adapter, std::filesystem::path base_model)
      : path(std::move(adapter)), base(std::move(base_model)) {}
  bool is_adapter() const { return path != base; }
  // Where the tokenizer's files are: in path, or, if an adapter has none, in base.
  std::filesystem::path tokenizer() const;
};

// True if there is an adapter_config.json and no whole model's weights.
bool is_adapter_directory(const std::filesystem::path& directory);

// Resolves the name of a base that is not a directory: a hub's id, followed by "@revision" if the
// adapter gives one.
using ResolveBase = std::function<ModelDirectory(const std::string&)>;

// Finds an adapter's base by base_model_name_or_path. Looks for a directory: as written, inside
// the adapter's, or next to it (for an absolute path, by its last name). Otherwise calls `resolve`;
// if that is null, only directories are found. A base that is an adapter itself is an error.
// Errors: Error{adapter_config.json} that says which base it names and where it was searched for;
// its code is kBadModel or that of resolve's error.
ModelDirectory find_base(const std::filesystem::path& directory, const ResolveBase& resolve);

// The directory itself if it is a whole model, else the adapter with its base.
ModelDirectory open_model_directory(const std::filesystem::path& directory,
                                    const ResolveBase& resolve);

}  // namespace spanforge
