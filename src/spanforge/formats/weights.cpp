#include "spanforge/formats/weights.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>

#include <fmt/core.h>

#include "spanforge/formats/bad_model.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/io/weight_index.h"

namespace spanforge {
namespace {

constexpr std::array<const char*, 4> kCandidates = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};

}  // namespace

struct WeightFiles::Files {
  std::vector<SafetensorsFile> safetensors;
  std::vector<TorchFile> torch;
  std::string entry;

  std::vector<StoredTensor> open(const fs::path& path) {
    if (path.extension() == ".safetensors") {
      safetensors.emplace_back(path);
      return safetensors.back().tensors();
    }
    torch.emplace_back(path);
    const StateDict found = find_state_dict(torch.back().root(), path.string());
    entry = found.entry;
    return state_dict_tensors(found.dict, path.string());
  }

  std::vector<StoredTensor> open_shards(const fs::path& index) {
    const auto shard_of = read_weight_index(index);
    std::vector<std::string> shards;
    for (const auto& [tensor, shard] : shard_of) shards.push_back(shard);
    std::sort(shards.begin(), shards.end());
    shards.erase(std::unique(shards.begin(), shards.end()), shards.end());
    std::vector<StoredTensor> all;
    for (const std::string& shard : shards) {
      const fs::path path = index.parent_path() / shard;
      if (!path_exists(path)) {
        throw Error(ErrorCode::kIo, path.string(),
                    fmt::format("is missing; {} names it", index.filename().string()));
      }
      for (StoredTensor& tensor : open(path)) {
        const auto it = shard_of.find(tensor.name);
        if (it == shard_of.end() || it->second != shard) {
          throw_bad_model(
              path,
              fmt::format("holds tensor \"{}\", which {} {}", quote_for_message(tensor.name),
                          index.filename().string(),
                          it == shard_of.end() ? "does not list" : "places in " + it->second));
        }
        all.push_back(std::move(tensor));
      }
    }
    if (all.size() != shard_of.size()) throw_bad_model(index, name_missing(shard_of, all));
    return all;
  }

 private:
  static std::string name_missing(const std::map<std::string, std::string>& shard_of,
                                  const std::vector<StoredTensor>& found) {
    auto missing = shard_of;
    for (const StoredTensor& tensor : found) missing.erase(tensor.name);
    const auto& [tensor, shard] = *missing.begin();
    return fmt::format("says that tensor \"{}\" is in {}, but it is not there",
                       quote_for_message(tensor), shard);
  }
};

fs::path find_weight_file(const fs::path& directory) {
  for (const char* name : kCandidates) {
    if (path_exists(directory / name)) return directory / name;
  }
  return {};
}

WeightFiles::WeightFiles(const fs::path& directory)
    : path_(find_weight_file(directory)), files_(std::make_unique<Files>()) {
  if (path_.empty() && path_exists(directory / kInt8WeightFile)) {
    throw Error(ErrorCode::kBadModel, directory.string(),
                fmt::format("is an int8 model ({}), which answers and nothing else; give the model "
                            "it was converted from",
                            kInt8WeightFile));
  }
  refuse_other_weights(directory);
  if (path_.empty()) {
    throw Error(ErrorCode::kIo, directory.string(),
                "has no weights: neither model.safetensors nor pytorch_model.bin");
  }
  tensors_ = path_.extension() == ".json" ? files_->open_shards(path_) : files_->open(path_);
  index_names();
}

WeightFiles::WeightFiles() : files_(std::make_unique<Files>()) {}

WeightFiles WeightFiles::of_file(const fs::path& file) {
  WeightFiles files;
  files.path_ = file;
  files.tensors_ = files.files_->open(file);
  files.index_names();
  return files;
}

void WeightFiles::index_names() {
  for (size_t i = 0; i < tensors_.size(); ++i) {
    index_.insert(tensors_[i].name, i, texts_in(tensors_, &StoredTensor::name));
  }
}

WeightFiles::~WeightFiles() = default;
WeightFiles::WeightFiles(WeightFiles&&) noexcept = default;

const std::string& WeightFiles::entry() const { return files_->entry; }

const StoredTensor* WeightFiles::find(std::string_view name) const {
  const auto found = index_.find(name, texts_in(tensors_, &StoredTensor::name));
  return found ? &tensors_[*found] : nullptr;
}

void WeightFiles::expect_whole() const {
  for (const SafetensorsFile& file : files_->safetensors) file.file().expect_whole();
  for (const TorchFile& file : files_->torch) file.file().expect_whole();
}

void WeightFiles::copy(std::string_view part, void* to) const {
  for (const SafetensorsFile& file : files_->safetensors) {
    if (file.file().holds(part)) return file.file().copy(part, to);
  }
  for (const TorchFile& file : files_->torch) {
    if (file.file().holds(part)) return file.file().copy(part, to);
  }
  std::memcpy(to, part.data(), part.size());  // a strided tensor, which the reader has copied
}

}  // namespace spanforge
