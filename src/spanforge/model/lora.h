#pragma once
// LoRA adapters (Hu et al. 2021) in PEFT's form: which linear layers have one, and how much it
// counts. A layer's output gains scale() * B A dropout(x); A is [rank, inputs], B [outputs, rank].
// The files that hold them: adapter_file.h. Source: peft 0.18, tuners/lora/{config,layer}.py,
// tuners/tuners_utils.py.

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
  double dropout = 0;            // lora_dropout, of the adapters' inputs, in training
  bool rank_stabilized = false;  // use_rslora: the scale is alpha / sqrt(rank)
  // PEFT's target_modules: a name is that of a module or the end of it behind a "."; "all-linear"
  // is every linear layer but the head. Empty: the family's query and value layers, as in PEFT, or
  // the layer that gives both.
  std::vector<std::string> targets;

  double scale() const;  // alpha / rank
  // Is the linear layer with this name (of HF's, with the family's prefix) one of the targets?
  // REQUIRES: targets are settled where they may be empty. The head is not to be asked about.
  bool targets_module(std::string_view module) const;
  bool operator==(const LoraConfig&) const = default;
};

// Every linear layer that an adapter may be put to, with the family's prefix, in the order of HF's
// modules: all but the head, which trains whole.
std::vector<std::string> linear_modules(const EncoderSpec& spec, const ModelConfig& config);

// The targets with what they stand for put in: empty, the family's query and value; "all-linear",
// the names of linear_modules(), as PEFT writes them. Errors: Error{code, place} for a rank, alpha
// or dropout out of range, for a target that is no linear layer of this model, naming it, and for
// the head. In a file (kBadModel) targets that this model lacks are passed over as in PEFT, if it
// has one of them.
LoraConfig settle_targets(LoraConfig lora, const EncoderSpec& spec, const ModelConfig& config,
                          ErrorCode code, const ErrorPlace& place);

}  // namespace spanforge
