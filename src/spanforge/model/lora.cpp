#include "spanforge/model/lora.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/core.h>

#include "spanforge/base/join.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

// PEFT compares the word in lower case.
bool is_all_linear(std::string_view target) {
  return std::equal(
      target.begin(), target.end(), kAllLinear.begin(), kAllLinear.end(),
      [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

bool names_module(std::string_view target, std::string_view module) {
  if (!module.ends_with(target)) return false;
  return module.size() == target.size() || module[module.size() - target.size() - 1] == '.';
}

std::string last_part(std::string_view module) {
  const size_t dot = module.rfind('.');
  return std::string(dot == std::string_view::npos ? module : module.substr(dot + 1));
}

// "query, key, value, dense": the usual spelling of targets.
std::string short_names(const std::vector<std::string>& modules) {
  std::vector<std::string> names;
  for (const std::string& module : modules) {
    std::string name = last_part(module);
    if (std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(std::move(name));
  }
  return join(names, ", ");
}

bool names_any(const std::string& target, const std::vector<std::string>& modules) {
  return !target.empty() &&
         std::any_of(modules.begin(), modules.end(),
                     [&](const std::string& module) { return names_module(target, module); });
}

[[noreturn]] void refuse_target(const std::string& target, const std::vector<std::string>& modules,
                                const EncoderSpec& spec, ErrorCode code, const ErrorPlace& place) {
  const std::vector<std::string_view> head = spec.head.modules();
  const bool is_head = std::any_of(head.begin(), head.end(), [&](std::string_view module) {
    return target == module || module.starts_with(target + ".");
  });
  if (is_head) {
    throw Error(code, place,
                fmt::format("\"{}\" is the head, which is trained whole and has no adapter",
                            quote_for_message(target)));
  }
  throw Error(code, place,
              fmt::format("\"{}\" names no linear layer of this model; choose from {} (or a whole "
                          "name or its end), or {} for all",
                          quote_for_message(target), short_names(modules), kAllLinear));
}

void check_numbers(const LoraConfig& lora, ErrorCode code, const ErrorPlace& place) {
  const auto refuse = [&](const char* key, const std::string& is, const std::string& range) {
    throw Error(code, place, fmt::format("\"{}\" is {}; it must be {}", key, is, range));
  };
  if (lora.rank < 1 || lora.rank > kMaxLoraRank) {
    refuse("r", fmt::format("{}", lora.rank), fmt::format("an integer from 1 to {}", kMaxLoraRank));
  }
  // The scale is computed in float.
  if (!std::isfinite(static_cast<float>(lora.alpha))) {
    refuse("lora_alpha", fmt::format("{}", lora.alpha), "a number");
  }
  if (!(lora.dropout >= 0 && lora.dropout <= 1.0 - 0x1p-24)) {
    refuse("lora_dropout", fmt::format("{}", lora.dropout), "a number from 0 to below 1");
  }
}

}  // namespace

double LoraConfig::scale() const {
  return alpha / (rank_stabilized ? std::sqrt(static_cast<double>(rank)) : rank);
}

bool LoraConfig::targets_module(std::string_view module) const {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& target) {
    return is_all_linear(target) || names_module(target, module);
  });
}

std::vector<std::string> linear_modules(const EncoderSpec& spec, const ModelConfig& config) {
  const std::string prefix(spec.base_prefix);
  std::vector<std::string> modules;
  if (spec.has_projection(config))
    modules.push_back(prefix + std::string(spec.embeddings.projection));
  const auto blocks = static_cast<size_t>(config.*spec.layers.blocks);
  for (size_t i = 0; i < blocks; ++i) {
    for (const BlockModule& module : spec.block_modules(config)) {
      if (module.role == BlockRole::kAttentionNorm || module.role == BlockRole::kOutputNorm)
        continue;
      modules.push_back(prefix + spec.block_module(i) + "." + std::string(module.name));
    }
  }
  return modules;
}

LoraConfig settle_targets(LoraConfig lora, const EncoderSpec& spec, const ModelConfig& config,
                          ErrorCode code, const ErrorPlace& place) {
  check_numbers(lora, code, place);
  if (lora.targets.empty()) {
    for (const BlockRole role : {BlockRole::kQuery, BlockRole::kValue, BlockRole::kQueryKeyValue}) {
      if (const auto name = spec.block_name(role); !name.empty()) {
        lora.targets.push_back(last_part(name));
      }
    }
  }
  const std::vector<std::string> modules = linear_modules(spec, config);
  if (std::any_of(lora.targets.begin(), lora.targets.end(), is_all_linear)) {
    lora.targets = modules;
    return lora;
  }
  size_t found = 0;
  const std::string* lacking = nullptr;
  for (const std::string& target : lora.targets) {
    if (names_any(target, modules)) {
      ++found;
    } else if (lacking == nullptr) {
      lacking = &target;
    }
  }
  if (lacking != nullptr && (found == 0 || code != ErrorCode::kBadModel)) {
    refuse_target(*lacking, modules, spec, code, place);
  }
  return lora;
}

}  // namespace spanforge
