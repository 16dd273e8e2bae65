#include "spanforge/model/attention_keys.h"

#include <fmt/core.h>

namespace spanforge {
namespace {

constexpr std::string_view kFull = "full_attention", kSliding = "sliding_attention";

class AttentionKeys {
 public:
  AttentionKeys(const Json& json, const EncoderSpec& spec, const std::string& place,
                ModelConfig& config)
      : json_(json), spec_(spec), place_(place), config_(config) {}

  void read() {
    if (spec_.local_attention) read_layer_types();
    if (!spec_.rotary) return;
    read_rope_parameters();
    if (const Json* scaling = find(json_, "rope_scaling")) {
      require_plain("rope_scaling", *scaling, "rope_type");
      require_plain("rope_scaling", *scaling, "type");
    }
    require_number(json_, "", "partial_rotary_factor", 1);
    require_number(json_, "", "head_dim", config_.hidden_size / config_.num_attention_heads);
  }

 private:
  static const Json* find(const Json& object, std::string_view key) {  // nullptr: missing, or null
    const Json* value = object.find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }

  [[noreturn]] void refuse(std::string_view key, const Json& value,
                           const std::string& wanted) const {
    throw Error(
        ErrorCode::kBadModel, place_,
        fmt::format("\"{}\" is {}; it must be {}", key, quote_for_message(value.dump()), wanted));
  }

  template <class T>
  std::string_view key_of(T ModelConfig::*member) const {
    for (const ConfigKey& key : spec_.config_keys) {
      if (key.value == decltype(key.value)(member)) return key.key;
    }
    throw Error(ErrorCode::kInternal, "config.json", "a value that the family has no key for");
  }

  void require_number(const Json& object, const std::string& inside, std::string_view key,
                      double wanted) const {
    const Json* value = find(object, key);
    if (value == nullptr) return;
    if (!value->is_number() || value->get<double>() != wanted) {
      refuse(inside + std::string(key), *value, python_repr(wanted) + " to be supported");
    }
  }

  void require_plain(const std::string& name, const Json& rope, std::string_view type_key) const {
    if (!rope.is_object()) refuse(name, rope, "an object");
    const Json* type = find(rope, type_key);
    if (type == nullptr || *type == "default") return;
    refuse(name + "." + std::string(type_key), *type,
           "\"default\": scaled rotary positions are not supported");
  }

  void read_layer_types() {
    const Json* types = find(json_, "layer_types");
    if (types == nullptr) return;
    const auto layers = static_cast<size_t>(config_.num_hidden_layers);
    if (!types->is_array() || types->size() != layers) {
      refuse("layer_types", *types, fmt::format("a list of {} names, one a layer", layers));
    }
    int32_t& every = config_.*spec_.local_attention->every;
    const std::string_view own_key = key_of(spec_.local_attention->every);
    if (!json_.contains(own_key)) {
      every = 1;
      const auto is_full = [&](int32_t layer) {
        return types->as_array()[static_cast<size_t>(layer)] == kFull;
      };
      while (every < config_.num_hidden_layers && !is_full(every)) ++every;
    }
    for (size_t layer = 0; layer < layers; ++layer) {
      const bool is_full = spec_.reach(static_cast<int32_t>(layer), config_) < 0;
      const Json& type = types->as_array()[layer];
      if (type == (is_full ? kFull : kSliding)) continue;
      refuse(fmt::format("layer_types[{}]", layer), type,
             fmt::format("\"{}\", as \"{}\" {} has it: other patterns are not supported",
                         is_full ? kFull : kSliding, own_key, every));
    }
  }

  void read_rope_parameters() {
    const Json* all = find(json_, "rope_parameters");
    if (all == nullptr) return;
    if (!all->is_object()) refuse("rope_parameters", *all, "an object");
    for (const auto& [kind, rope] : all->items()) {
      const std::string name = fmt::format("rope_parameters.{}", quote_for_message(kind));
      if (kind != kFull && kind != kSliding) {
        refuse(name, rope, fmt::format("that of {} or {}", kFull, kSliding));
      }
      if (rope.is_null()) continue;
      require_plain(name, rope, "rope_type");
      require_number(rope, name + ".", "partial_rotary_factor", 1);
      read_theta(name, rope, kind == kFull ? spec_.rotary->theta : spec_.rotary->local_theta);
    }
  }

  void read_theta(const std::string& name, const Json& rope, double ModelConfig::*member) {
    const Json* theta = find(rope, "rope_theta");
    if (theta == nullptr) return;
    const double value = theta->is_number() ? theta->get<double>() : 0;
    if (!(value >= 1)) refuse(name + ".rope_theta", *theta, "a number from 1.0 on");
    const std::string_view own_key = key_of(member);
    if (json_.contains(own_key) && config_.*member != value) {
      refuse(name + ".rope_theta", *theta,
             fmt::format("what \"{}\" says, {}", own_key, python_repr(config_.*member)));
    }
    config_.*member = value;
  }

  const Json& json_;
  const EncoderSpec& spec_;
  const std::string& place_;
  ModelConfig& config_;
};

}  // namespace

void read_attention_keys(const Json& json, const EncoderSpec& spec, const std::string& place,
                         ModelConfig& config) {
  AttentionKeys(json, spec, place, config).read();
}

}  // namespace spanforge
