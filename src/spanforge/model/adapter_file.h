#pragma once
// TEMPORARY: replaced at the merge.
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "spanforge/model/lora.h"
#include "spanforge/model/trainable_model.h"

namespace spanforge {
struct AdapterConfig {
  LoraConfig lora;
  std::string base_model;
};
AdapterConfig read_adapter_config(const std::filesystem::path& directory);
void read_adapter_weights(const std::filesystem::path& directory, const std::vector<const Parameter*>& wanted,
                          const std::function<float*(const Parameter&)>& destination);
void write_adapter_weights(const std::filesystem::path& directory, const std::vector<const Parameter*>& rows,
                           const Tensor& arena);
}  // namespace spanforge
