#include "spanforge/train/learning.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

[[noreturn]] void refuse_option(std::string_view option, const std::string& reason) {
  throw Error(ErrorCode::kUsage, {.parameter = std::string(option)}, reason);
}

// Each value may be a list with commas.
std::vector<std::string> split_values(const std::vector<std::string>& values) {
  std::vector<std::string> parts;
  for (const std::string& value : values) {
    for (size_t begin = 0; begin <= value.size();) {
      const size_t end = std::min(value.find(',', begin), value.size());
      parts.push_back(value.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

std::optional<int32_t> parse_number(std::string_view text) {
  int32_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// "A-B", or "A".
std::optional<std::pair<int32_t, int32_t>> parse_range(std::string_view text) {
  const size_t dash = std::min(text.find('-'), text.size());
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == text.size() ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  return std::pair(*first, *last);
}

void parse_freeze(const std::vector<std::string>& values, int32_t layers, Learning& learning) {
  constexpr std::string_view kLayers = "layers:";
  for (const std::string& part : split_values(values)) {
    if (part == "embeddings") {
      learning.embeddings = false;
    } else if (part == "encoder") {
      learning.frozen_layers.emplace_back(0, layers - 1);
    } else if (const auto range = part.starts_with(kLayers)
                                      ? parse_range(std::string_view(part).substr(kLayers.size()))
                                      : std::nullopt) {
      learning.frozen_layers.push_back(*range);
    } else {
      refuse_option(
          "freeze",
          fmt::format("is \"{}\", must be embeddings, encoder (all layers) or layers:A-B (from 0, "
                      "the last included)",
                      quote_for_message(part)));
    }
  }
}

// Options that are not set have LoraConfig's defaults.
LoraConfig given_lora(const TrainingArguments& a) {
  LoraConfig lora;
  if (a.lora_rank) lora.rank = static_cast<int32_t>(*a.lora_rank);
  lora.alpha = a.lora_alpha.value_or(lora.alpha);
  lora.dropout = a.lora_dropout.value_or(lora.dropout);
  lora.targets = split_values(a.lora_target);
  return lora;
}

}  // namespace

void check_learning(const TrainingArguments& a) {
  Learning unused;
  parse_freeze(a.freeze, /*layers=*/1, unused);
  for (const std::string& target : split_values(a.lora_target)) {
    if (target.empty()) refuse_option("lora_target", "names no layer");
  }
  if (a.lora_dropout.value_or(0) >= 1) refuse_option("lora_dropout", "must be below 1");
  if (a.lora_rank.value_or(0) > 0 && !a.freeze.empty()) {
    refuse_option("freeze", "contradicts `lora_rank`, which freezes all but adapters and head");
  }
}

Learning choose_learning(const TrainingArguments& a, const ModelConfig& config,
                         const LoraConfig* adapter) {
  Learning learning;
  parse_freeze(a.freeze, config.num_hidden_layers, learning);
  const EncoderSpec& spec = encoder_spec(config.model_type, ErrorCode::kBadModel, "config.json");
  const auto settled = [&](const LoraConfig& lora) {
    return settle_targets(lora, spec, config, ErrorCode::kUsage, {.parameter = "lora_target"});
  };
  LoraConfig given = given_lora(a);
  if (adapter == nullptr) {
    if (given.rank > 0) {
      learning.lora = settled(given);
      return learning;
    }
    // A resumed run sets every option, most of them to their defaults.
    const LoraConfig usual;
    if (given.alpha != usual.alpha) refuse_option("lora_alpha", "needs `lora_rank`");
    if (given.dropout != usual.dropout) refuse_option("lora_dropout", "needs `lora_rank`");
    if (!a.lora_target.empty()) refuse_option("lora_target", "needs `lora_rank`");
    return learning;
  }
  learning.lora = *adapter;
  if (!a.freeze.empty()) {
    refuse_option("freeze",
                  "contradicts training an adapter, which freezes all but adapter and head");
  }
  const auto require_same = [](const char* option, bool is_same, const std::string& has) {
    if (is_same) return;
    refuse_option(
        option,
        fmt::format("differs from the adapter's {}; omit it to train the adapter further, or merge "
                    "the adapter first (spanforge model convert --merge-lora)",
                    has));
  };
  require_same("lora_rank", !a.lora_rank || given.rank == adapter->rank,
               std::to_string(adapter->rank));
  require_same("lora_alpha", !a.lora_alpha || given.alpha == adapter->alpha,
               fmt::format("{}", adapter->alpha));
  if (!a.lora_target.empty()) {
    given.rank = adapter->rank;
    const std::vector<std::string> ours = settled(given).targets;
    const std::set<std::string> asked(ours.begin(), ours.end());
    const std::set<std::string> has(adapter->targets.begin(), adapter->targets.end());
    require_same("lora_target", asked == has, "target_modules");
  }
  if (a.lora_dropout) learning.lora.dropout = given.dropout;  // of this training only
  return learning;
}

}  // namespace spanforge
