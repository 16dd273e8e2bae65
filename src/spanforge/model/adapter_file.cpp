#include "spanforge/model/adapter_file.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "spanforge/base/json.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/model/weight_io.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

constexpr std::string_view kFront = "base_model.model.";
constexpr std::string_view kMatrices[] = {".lora_A.", ".lora_B."};

WeightFiles open_weights(const fs::path& directory) {
  for (const char* name : {kAdapterWeightFile, kOldAdapterWeightFile}) {
    if (path_exists(directory / name)) return WeightFiles::of_file(directory / name);
  }
  throw Error(ErrorCode::kIo, directory.string(),
              fmt::format("has no weights of the adapter: neither {} nor {}", kAdapterWeightFile,
                          kOldAdapterWeightFile));
}

// Removes the part of a name after `front` if another part follows: "default" of
// lora_A.default.weight.
void take_off_adapter_name(std::string& name, std::string_view front) {
  const size_t at = name.find(front);
  if (at == std::string::npos) return;
  const size_t begin = at + front.size(), dot = name.find('.', begin);
  if (dot != std::string::npos) name.erase(begin, dot + 1 - begin);
}

// The name of the parameter with this stored name.
std::string clean_name(std::string_view stored) {
  std::string name(stored.starts_with(kFront) ? stored.substr(kFront.size()) : stored);
  for (const std::string_view matrix : kMatrices) take_off_adapter_name(name, matrix);
  constexpr std::string_view kSaved = ".modules_to_save.";
  take_off_adapter_name(name, kSaved);
  if (const size_t at = name.find(kSaved); at != std::string::npos) {
    name.erase(at, kSaved.size() - 1);
  }
  return name;
}

std::vector<std::string> adapted_modules(const fs::path& directory) {
  const WeightFiles files = open_weights(directory);
  std::vector<std::string> modules;
  for (const StoredTensor& tensor : files.tensors()) {
    const std::string name = clean_name(tensor.name);
    if (const size_t at = name.rfind(kMatrices[0]); at != std::string::npos) {
      modules.push_back(name.substr(0, at));
    }
  }
  if (modules.empty()) {
    throw Error(ErrorCode::kBadModel, files.path().string(), "holds no lora_A of any layer");
  }
  return modules;
}

}  // namespace

AdapterConfig read_adapter_config(const fs::path& directory) {
  const fs::path file = directory / kAdapterConfigFile;
  AdapterConfig config = parse_adapter_config(read_file(file), file.string());
  if (config.targets_by_weights) config.lora.targets = adapted_modules(directory);
  return config;
}

std::string peft_name(std::string_view parameter_name) {
  return std::string(kFront) + std::string(parameter_name);
}

std::vector<const Parameter*> adapter_parameters(const std::vector<Parameter>& all,
                                                 const AdapterConfig& config) {
  std::vector<const Parameter*> held;
  for (const Parameter& parameter : all) {
    if (parameter.is_adapter || (parameter.trainable && config.saves(parameter.name)))
      held.push_back(&parameter);
  }
  return held;
}

void read_adapter_weights(const fs::path& directory, std::span<const Parameter* const> wanted,
                          const std::function<float*(const Parameter&)>& destination) {
  const WeightFiles files = open_weights(directory);
  KeyedMap<std::string_view, size_t> place_of;
  for (size_t i = 0; i < wanted.size(); ++i) place_of.emplace(wanted[i]->name, i);
  std::vector<const StoredTensor*> stored(wanted.size());
  std::vector<std::string> missing, wrong, twice, unknown;
  for (const StoredTensor& tensor : files.tensors()) {
    const auto place = place_of.find(clean_name(tensor.name));
    if (place == place_of.end()) {
      unknown.push_back(tensor.name);
      continue;
    }
    const Parameter& parameter = *wanted[place->second];
    if (stored[place->second] != nullptr) {
      twice.push_back(tensor.name);
    } else if (auto fault = misfit(tensor, parameter, kAdapterConfigFile)) {
      wrong.push_back(std::move(*fault));
    }
    stored[place->second] = &tensor;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (stored[i] == nullptr) missing.push_back(peft_name(wanted[i]->name));
  }
  std::string reason;
  add_complaint(reason, "missing", missing);
  add_complaint(reason, "misshaped", wrong);
  add_complaint(reason, "stored twice", twice);
  add_complaint(reason, "unknown to the adapted model", unknown);
  if (!reason.empty()) throw Error(ErrorCode::kBadModel, files.path().string(), reason);

  std::map<std::string, int64_t> not_finite;
  for (size_t i = 0; i < wanted.size(); ++i) {
    float* const to = destination(*wanted[i]);
    read_elements(files, *stored[i], 0, wanted[i]->size, to);
    const int64_t bad = ops::first_non_finite(make_tensor(to, 1, wanted[i]->size));
    if (bad >= 0) not_finite.emplace(stored[i]->name, bad);
  }
  complain_of_non_finite(files, not_finite);
}

void write_adapter_weights(DirectoryWriter& writer, std::span<const Parameter* const> parameters,
                           const Tensor& arena) {
  std::vector<StoredTensor> tensors;
  for (const Parameter* parameter : parameters) {
    const auto* data = reinterpret_cast<const char*>(arena.as<float>() + parameter->offset);
    tensors.push_back({.name = peft_name(parameter->name),
                       .type = StoredType::kF32,
                       .shape = parameter->shape,
                       .bytes = {data, static_cast<size_t>(parameter->size) * sizeof(float)}});
  }
  write_safetensors(writer.create(kAdapterWeightFile), std::move(tensors));
}

}  // namespace spanforge
