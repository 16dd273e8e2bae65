#pragma once
// A model's directory as its user names it: a whole model, or a LoRA adapter, whose base model lies
// elsewhere. Everything that reads a model takes this; a path alone is a whole model.

#include <concepts>
#include <filesystem>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

namespace spanforge {

struct ModelDirectory {
  std::filesystem::path path;  // adapter, settings, and all else where it is a whole model
  std::filesystem::path base;  // config.json and the weights; the same as path but for an adapter
  // The base as a hub knows it, where it comes from one: what an adapter trained on it is to name.
  std::string hub_id, hub_revision;  // "org/name"; "": the usual one

  ModelDirectory() = default;
  // A whole model, by whatever makes a path.
  template <class Path>
  requires std::convertible_to<Path, std::filesystem::path> &&
      (!std::same_as<std::remove_cvref_t<Path>, ModelDirectory>)ModelDirectory(Path&& whole)
      : path(std::forward<Path>(whole)), base(path) {}  // NOLINT
  ModelDirectory(std::filesystem::path adapter, std::filesystem::path base_model)
      : path(std::move(adapter)), base(std::move(base_model)) {}
  bool is_adapter() const { return path != base; }
  // Where the tokenizer's files lie: path, or, of an adapter without any, base.
  std::filesystem::path tokenizer() const;
};

// True where adapter_config.json stands and no whole model's weights do.
bool is_adapter_directory(const std::filesystem::path& directory);

// What to make of a base that is named otherwise than by a directory: a hub's id, with "@revision"
// where the adapter states one.
using ResolveBase = std::function<ModelDirectory(const std::string&)>;

// Finds an adapter's base by base_model_name_or_path: a directory, as written, inside the adapter's
// or beside it (of an absolute path the last name), else what `resolve` makes of it; a base that is
// an adapter itself is refused. resolve may be null: only directories are found. Errors:
// Error{adapter_config.json} that says which base it names and where that was looked for:
// kBadModel, or of the code that resolve's has.
ModelDirectory find_base(const std::filesystem::path& directory, const ResolveBase& resolve);

// The directory as it is, or an adapter with its base.
ModelDirectory open_model_directory(const std::filesystem::path& directory,
                                    const ResolveBase& resolve);

}  // namespace spanforge
