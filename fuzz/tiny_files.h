#pragma once
// The tiny model's weights as the files of a directory.

#include "spanforge/base/json.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/io/file.h"
#include "support.h"

namespace spanforge::fuzz {

// For the weight_files target. Its first byte is a kind, or a kind and this if training loads the
// files.
inline constexpr size_t kWeightFileKinds = 5;

inline std::vector<StoredTensor> stored_tensors(const QuestionAnsweringModel& model) {
  std::vector<StoredTensor> tensors;
  for (const Parameter& parameter : model.parameters()) {
    const auto* data = reinterpret_cast<const char*>(model.weights(parameter).as<float>());
    tensors.push_back({.name = parameter.name,
                       .type = StoredType::kF32,
                       .shape = parameter.shape,
                       .bytes = {data, static_cast<size_t>(parameter.size) * sizeof(float)}});
  }
  return tensors;
}

inline void write_bin(const std::filesystem::path& file, const std::vector<StoredTensor>& tensors) {
  TorchDict dict;
  for (const StoredTensor& tensor : tensors) {
    dict.add(tensor.name, TorchTensor{tensor.type, tensor.shape, tensor.bytes});
  }
  write_torch_file(AtomicFile(file), std::move(dict));
}

// Every second tensor into shard "a", the others into "b"; the text of the index.
inline std::string shard_index(const std::vector<StoredTensor>& tensors, const char* extension) {
  Json map = Json::object();
  for (size_t i = 0; i < tensors.size(); ++i) {
    map[tensors[i].name] = std::string(i % 2 == 0 ? "a" : "b") + extension;
  }
  return dump_python_json({{"metadata", {{"total_size", 1}}}, {"weight_map", std::move(map)}});
}

inline void write_shards(const QuestionAnsweringModel& model,
                         const std::filesystem::path& safetensors,
                         const std::filesystem::path& torch) {
  const std::vector<StoredTensor> all = stored_tensors(model);
  std::vector<StoredTensor> a, b;
  for (size_t i = 0; i < all.size(); ++i) (i % 2 == 0 ? a : b).push_back(all[i]);
  write_safetensors(AtomicFile(safetensors / "a.safetensors"), a);
  write_safetensors(AtomicFile(safetensors / "b.safetensors"), b);
  write_bin(torch / "a.bin", a);
  write_bin(torch / "b.bin", b);
}

}  // namespace spanforge::fuzz
