#pragma once
// LoRA adapters (Hu et al. 2021) in PEFT's form: which linear layers have one, and how large their
// share is. A layer's output gains scale() * B A dropout(x); A is [rank, inputs], B [outputs,
// rank]. adapter_file.h reads and writes their files. Source: peft 0.18,
// tuners/lora/{config,layer}.py, tuners/tuners_utils.py.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"

namespace spanforge {

struct EncoderSpec;
struct ModelConfig;

constexpr const char* kAdapterConfigFile = "adapter_config.json";
constexpr const char* kAdapterWeightFile = "adapter_model.safetensors";
constexpr int32_t kMaxLoraRank = 1 << 16;
constexpr std::string_view kAllLinear = "all-linear";

struct LoraConfig {
  int32_t rank = 0;              // PEFT's r; 0: no adapters
  double alpha = 8;              // lora_alpha
  double dropout = 0;            // lora_dropout, on the adapters' inputs, in training
  bool rank_stabilized = false;  // use_rslora: the scale is alpha / sqrt(rank)
  // PEFT's target_modules. A name is a module's, or the end of one after a "."; "all-linear"
  // is every linear layer except the head. Empty: the family's query and value layers, as in PEFT,
  // or the layer that computes both.
  std::vector<std::string> targets;

  double scale() const;  // alpha / rank
  // True if the linear layer with this name (HF's, with the family's prefix) is a target. REQUIRES:
  // targets are settled if they may be empty; the layer is not the head.
  bool targets_module(std::string_view module) const;
  bool operator==(const LoraConfig&) const = default;
};

// Every linear layer that may have an adapter, with the family's prefix, in the order of HF's
// modules: all except the head, which is trained whole.
std::vector<std::string> linear_modules(const EncoderSpec& spec, const ModelConfig& config);

// Replaces targets by what they mean: empty by the family's query and value, "all-linear" by the
// names of linear_modules(), as PEFT writes them. Errors: Error{code, place} if rank, alpha or
// dropout is out of range, and for a target that is the head or no linear layer of this model. In a
// file (kBadModel), targets that the model does not have are ignored, as in PEFT, if it has at
// least one.
LoraConfig settle_targets(LoraConfig lora, const EncoderSpec& spec, const ModelConfig& config,
                          ErrorCode code, const ErrorPlace& place);

}  // namespace spanforge
