#pragma once
// LoRA adapters (Hu et al. 2021) in PEFT's form: which linear layers have one, and the two files that hold
// them. A layer's output gains scale() * B A dropout(x); A is [rank, inputs], B [outputs, rank].
// Source: peft, tuners/lora/{config,layer}.py, utils/save_and_load.py.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

constexpr const char* kAdapterConfigFile = "adapter_config.json";
constexpr const char* kAdapterWeightFile = "adapter_model.safetensors";

struct LoraConfig {
  int32_t rank = 0;      // PEFT's r; 0: no adapters
  double alpha = 8;      // lora_alpha
  double dropout = 0;    // lora_dropout, of the adapters' inputs, in training
  bool rank_stabilized = false;  // use_rslora: the scale is alpha / sqrt(rank)
  // PEFT's target_modules: a name is that of a module or the end of it behind a "."; "all-linear" is
  // every linear layer but the head. Empty: the family's query and value layers, as in PEFT.
  std::vector<std::string> targets;

  double scale() const;  // alpha / rank
  // Is the linear layer with this name (of HF's, with the family's prefix) one of the targets?
  bool targets_module(std::string_view module) const;
  bool operator==(const LoraConfig&) const = default;
};

}  // namespace spanforge
