#include "spanforge/model/model_directory.h"

#include <vector>

#include <fmt/core.h>

#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/model/adapter_file.h"

namespace spanforge {
namespace {

// True if `base` cannot be a hub's id.
bool is_plainly_a_path(const std::string& base) {
  return base.front() == '/' || base.front() == '.' || base.front() == '~';
}

// The directories where a base may be, and a description of them.
struct Places {
  std::vector<fs::path> paths;
  std::string words;
};

Places places_of(const fs::path& directory, const fs::path& base) {
  const fs::path parent =
      fs::absolute(directory / "").lexically_normal().parent_path().parent_path();
  if (!base.is_absolute()) {
    return {{base, directory / base, parent / base},
            fmt::format("no such directory is here, in {0} or next to {0}", directory.string())};
  }
  const fs::path name = base.has_filename() ? base.filename() : base.parent_path().filename();
  return {{base, parent / name},
          fmt::format("it is not there, nor is a \"{}\" next to {}",
                      quote_for_message(name.string()), directory.string())};
}

std::string named(const AdapterConfig& config) {
  return fmt::format("names the base model \"{}\"", quote_for_message(config.base_model, 300));
}

constexpr const char* kAdvice = "put it there, or edit base_model_name_or_path";

}  // namespace

fs::path ModelDirectory::tokenizer() const {
  if (!is_adapter()) return path;
  return has_tokenizer([&](const std::string& file) { return path_exists(path / file); }) ? path
                                                                                          : base;
}

bool is_adapter_directory(const fs::path& directory) {
  return path_exists(directory / kAdapterConfigFile) && find_weight_file(directory).empty() &&
         !path_exists(directory / kInt8WeightFile);
}

ModelDirectory find_base(const fs::path& directory, const ResolveBase& resolve) {
  const fs::path file = directory / kAdapterConfigFile;
  const AdapterConfig config = read_adapter_config(directory);
  if (config.base_model.empty()) {
    throw Error(ErrorCode::kBadModel, file.string(),
                "names no base model: set base_model_name_or_path to its directory or hub id");
  }
  const Places places = places_of(directory, config.base_model);
  for (const fs::path& place : places.paths) {
    if (!directory_exists(place)) continue;
    if (is_adapter_directory(place)) {
      throw Error(ErrorCode::kBadModel, file.string(),
                  fmt::format("{}, which is an adapter itself: merge it first (spanforge model "
                              "convert --merge-lora), and name the merged model",
                              named(config)));
    }
    return {directory, fs::absolute(place).lexically_normal()};
  }
  if (resolve == nullptr || is_plainly_a_path(config.base_model)) {
    throw Error(ErrorCode::kBadModel, file.string(),
                fmt::format("{}: {}; {}", named(config), places.words, kAdvice));
  }
  ModelDirectory base;
  try {
    base = resolve(config.base_model +
                   (config.base_revision.empty() ? "" : "@" + config.base_revision));
  } catch (const Error& error) {
    const ErrorCode code = error.code() == ErrorCode::kUsage ? ErrorCode::kBadModel : error.code();
    throw Error(code, file.string(),
                fmt::format("{}: {}, and as a hub id: {}; {}", named(config), places.words,
                            error.what(), kAdvice));
  }
  if (base.is_adapter()) {
    throw Error(ErrorCode::kBadModel, file.string(),
                fmt::format("{}, which is an adapter itself", named(config)));
  }
  ModelDirectory found(directory, base.base);
  found.hub_id = base.hub_id;
  found.hub_revision = base.hub_revision;
  return found;
}

ModelDirectory open_model_directory(const fs::path& directory, const ResolveBase& resolve) {
  return is_adapter_directory(directory) ? find_base(directory, resolve)
                                         : ModelDirectory(directory);
}

}  // namespace spanforge
