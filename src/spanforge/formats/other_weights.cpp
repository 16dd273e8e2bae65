#include "spanforge/formats/other_weights.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/io/foreign_weights.h"

namespace spanforge {
namespace {

// Other files of a training that torch.save writes.
bool is_training_file(std::string_view name) {
  return name.starts_with("training_args") || name.starts_with("optimizer") ||
         name.starts_with("scheduler") || name.starts_with("rng_state") ||
         name.starts_with("scaler");
}

std::string first_bytes(const fs::path& file) {
  std::string bytes(16, '\0');
  bytes.resize(Descriptor(file, O_RDONLY).read(bytes.data(), bytes.size()));
  return bytes;
}

bool looks_like_torch(std::string_view head) {
  return head.starts_with("PK\x03\x04") || head.starts_with("\x80\x02\x8a\x0a");
}

// A .pt, .pth, .bin or .ckpt may be torch's or not; a .safetensors may have any name.
std::optional<std::string> describe_by_content(const fs::path& file) {
  const std::string name = file.filename().string();
  const std::string extension = file.extension().string();
  if (extension == ".safetensors") {
    return describe_foreign_weights(name, "weights under another name",
                                    "name the file model.safetensors");
  }
  const bool may_be_torch =
      extension == ".pt" || extension == ".pth" || extension == ".bin" || extension == ".ckpt";
  if (!may_be_torch || is_training_file(name)) return std::nullopt;
  if (looks_like_torch(first_bytes(file))) {
    return describe_foreign_weights(name, "a file of torch.save under another name",
                                    "name it pytorch_model.bin if it holds the weights");
  }
  if (extension != ".ckpt") return std::nullopt;
  return describe_foreign_weights(name, "a checkpoint of MindSpore or another framework",
                                  "load it there and save its arrays with torch.save as "
                                  "pytorch_model.bin under transformers' names");
}

std::optional<std::string> describe_files(const fs::path& directory,
                                          const std::vector<std::string>& names) {
  if (auto description = find_foreign_weights(names)) return description;
  for (const std::string& name : names) {
    if (!regular_file_size(directory / name)) continue;
    if (auto description = describe_by_content(directory / name)) return description;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> describe_other_weights(const fs::path& directory) {
  const std::vector<std::string> names = list_directory(directory);
  if (auto description = describe_files(directory, names)) return description;
  for (const std::string& name : names) {
    const fs::path below = directory / name;
    if (name.starts_with(".") || !directory_exists(below)) continue;
    if (!find_weight_file(below).empty() && path_exists(below / "config.json")) {
      return fmt::format("has no weights; there is a model in {}", below.string());
    }
  }
  return std::nullopt;
}

void refuse_other_weights(const fs::path& directory) {
  if (!directory_exists(directory) || !find_weight_file(directory).empty() ||
      path_exists(directory / kInt8WeightFile)) {
    return;
  }
  if (const auto description = describe_other_weights(directory)) {
    throw Error(ErrorCode::kBadModel, directory.string(), *description);
  }
}

}  // namespace spanforge
