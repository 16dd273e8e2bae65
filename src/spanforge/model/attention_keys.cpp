#include "spanforge/model/attention_keys.h"

#include <optional>
#include <string>

#include <fmt/core.h>

namespace spanforge {
namespace {

constexpr std::string_view kFull = "full_attention", kSliding = "sliding_attention";

class AttentionKeys {
 public:
  AttentionKeys(const JsonView& json, const EncoderSpec& spec, ModelConfig& config)
      : json_(json), spec_(spec), config_(config) {}

  void read() {
    if (spec_.local_attention) read_layer_types();
    if (!spec_.rotary) return;
    read_rope_parameters();
    if (const auto scaling = stated(json_, "rope_scaling")) {
      require_plain(*scaling, "rope_type");
      require_plain(*scaling, "type");
    }
    require_number(json_, "partial_rotary_factor", 1);
    require_number(json_, "head_dim", config_.hidden_size / config_.num_attention_heads);
  }

 private:
  static std::optional<JsonView> stated(const JsonView& object, std::string_view key) {
    return object.has(key) ? object.find(key) : std::nullopt;
  }

  template <class T>
  std::string_view key_of(T ModelConfig::*member) const {
    for (const ConfigKey& key : spec_.config_keys) {
      if (key.value == decltype(key.value)(member)) return key.key;
    }
    throw Error(ErrorCode::kInternal, {.file = "config.json"},
                "a value that the family has no key for");
  }

  static void require_number(const JsonView& object, std::string_view key, double wanted) {
    const auto value = stated(object, key);
    if (!value) return;
    const std::string supported = python_repr(wanted) + " to be supported";
    if (value->number(supported) != wanted) value->refuse(supported);
  }

  static void require_plain(const JsonView& rope, std::string_view type_key) {
    const auto type = stated(rope.object(), type_key);
    if (!type || type->value() == "default") return;
    type->refuse("\"default\": scaled rotary positions are not supported");
  }

  void read_layer_types() {
    const auto types = stated(json_, "layer_types");
    if (!types) return;
    const auto layers = static_cast<size_t>(config_.num_hidden_layers);
    if (!types->value().is_array() || types->value().size() != layers) {
      types->refuse(fmt::format("a list of {} names, one per layer", layers));
    }
    int32_t& every = config_.*spec_.local_attention->every;
    const std::string_view own_key = key_of(spec_.local_attention->every);
    const JsonView::Items items = types->items();
    if (!json_.find(own_key)) {
      every = 1;
      while (every < config_.num_hidden_layers &&
             items[static_cast<size_t>(every)].value() != kFull) {
        ++every;
      }
    }
    for (size_t layer = 0; layer < layers; ++layer) {
      const bool is_full = spec_.reach(static_cast<int32_t>(layer), config_) < 0;
      const std::string_view wanted = is_full ? kFull : kSliding;
      if (items[layer].value() == wanted) continue;
      items[layer].refuse(fmt::format(
          "\"{}\", as \"{}\" {} has it: other patterns are not supported", wanted, own_key, every));
    }
  }

  void read_rope_parameters() {
    const auto all = stated(json_, "rope_parameters");
    if (!all) return;
    for (const auto& [kind, rope] : all->object().members()) {
      if (kind != kFull && kind != kSliding) {
        rope.refuse(fmt::format("that of {} or {}", kFull, kSliding));
      }
      if (rope.is_null()) continue;
      require_plain(rope, "rope_type");
      require_number(rope, "partial_rotary_factor", 1);
      read_theta(rope, kind == kFull ? spec_.rotary->theta : spec_.rotary->local_theta);
    }
  }

  void read_theta(const JsonView& rope, double ModelConfig::*member) {
    const auto theta = stated(rope, "rope_theta");
    if (!theta) return;
    constexpr std::string_view kWanted = "a number of at least 1.0";
    const double value = theta->number(kWanted);
    if (!(value >= 1)) theta->refuse(kWanted);
    const std::string_view own_key = key_of(member);
    if (json_.find(own_key) && config_.*member != value) {
      theta->refuse(fmt::format("what \"{}\" says, {}", own_key, python_repr(config_.*member)));
    }
    config_.*member = value;
  }

  const JsonView& json_;
  const EncoderSpec& spec_;
  ModelConfig& config_;
};

}  // namespace

void read_attention_keys(const JsonView& json, const EncoderSpec& spec, ModelConfig& config) {
  AttentionKeys(json, spec, config).read();
}

}  // namespace spanforge
