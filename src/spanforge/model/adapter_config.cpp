// Reads and writes adapter_config.json, PEFT's LoraConfig.
#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "spanforge/base/join.h"
#include "spanforge/base/json_view.h"
#include "spanforge/io/file.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {
namespace {

constexpr const char* kPeftVersion = "0.18.1";  // the version that files are written like

bool is_off(const Json& value) {
  return value.is_null() || value == false ||
         ((value.is_array() || value.is_object()) && value.empty());
}

// Keys of LoraConfig that are not read, because they change nothing that a saved adapter
// computes.
constexpr const char* kWithoutEffect[] = {"auto_mapping",  "corda_config",   "ensure_weight_tying",
                                          "eva_config",    "inference_mode", "layers_pattern",
                                          "megatron_core", "peft_version",   "qalora_group_size",
                                          "runtime_config"};

// A key that must be off, and what it would do.
struct Unsupported {
  const char* key;
  const char* what;
};
constexpr Unsupported kUnsupported[] = {
    {"alora_invocation_tokens", "adapters that begin at a token (aLoRA)"},
    {"alpha_pattern", "scales that differ from layer to layer"},
    {"arrow_config", "routed adapters (Arrow)"},
    {"fan_in_fan_out", "transposed weights"},
    {"layer_replication", "repeated layers"},
    {"loftq_config", "a quantised base model (LoftQ)"},
    {"lora_bias", "biases in adapters"},
    {"megatron_config", "Megatron's parallel layers"},
    {"rank_pattern", "ranks that differ from layer to layer"},
    {"target_parameters", "adapters of single parameters"},
    {"trainable_token_indices", "trained rows of the embeddings"},
    {"use_dora", "DoRA"},
    {"use_qalora", "QALoRA"},
};

// Of all families, without repeats.
std::vector<std::string> head_modules() {
  std::vector<std::string> names;
  for (const std::string& type : supported_model_types()) {
    for (const std::string_view name :
         encoder_spec(type, ErrorCode::kInternal, kAdapterConfigFile).head.modules()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    }
  }
  return names;
}

class Reader {
 public:
  explicit Reader(const JsonView& json) : json_(json.object()) {}

  AdapterConfig read() {
    require_supported();
    AdapterConfig config;
    config.lora.rank = static_cast<int32_t>(number(
        "r", 8, [](double r) { return r >= 1 && r <= kMaxLoraRank && r == std::floor(r); },
        "an integer from 1 to 65536"));
    config.lora.alpha = number(
        "lora_alpha", 8, [](double) { return true; }, "a number");
    config.lora.dropout = number(
        "lora_dropout", 0, [](double p) { return p >= 0 && p <= 1.0 - 0x1p-24; },
        "a number from 0 to below 1");
    config.lora.rank_stabilized = flag("use_rslora");
    config.base_model = text("base_model_name_or_path");
    config.base_revision = text("revision");
    config.saved_modules = read_modules_to_save();
    read_targets(config);
    return config;
  }

 private:
  std::optional<JsonView> find(const char* key) {  // nullopt: missing, or null
    read_.push_back(key);
    return json_.has(key) ? json_.find(key) : std::nullopt;
  }

  void require_word(const char* key, std::initializer_list<std::string_view> words, bool may_lack,
                    const std::string& wanted) {
    const auto value = find(key);
    if (!value && may_lack) return;
    if (!value) json_.fail(fmt::format("\"{}\" is missing; it must be {}", key, wanted));
    for (const std::string_view word : words) {
      if (value->value() == word) return;
    }
    value->refuse(wanted);
  }

  void require_supported() {
    require_word("peft_type", {"LORA"}, false,
                 "\"LORA\": other kinds of adapters are not supported");
    require_word("task_type", {"QUESTION_ANS"}, true,
                 "\"QUESTION_ANS\" or null: this program answers questions");
    require_word("bias", {"none"}, true, "\"none\": trained biases are not supported");
    for (const Unsupported& one : kUnsupported) {
      const auto value = find(one.key);
      if (value && !is_off(value->value())) {
        value->refuse(fmt::format("off; not supported: {}", one.what));
      }
    }
    if (const auto init = find("init_lora_weights"); init && !leaves_base(init->value())) {
      init->refuse(
          "one that leaves the base model's weights as they are (true, \"gaussian\", \"eva\", "
          "\"orthogonal\"); PEFT can save such an adapter as a plain one "
          "(path_initial_model_for_weight_conversion)");
    }
  }

  // PiSSA, OLoRA, CorDA and LoftQ subtract their part from the base model first.
  static bool leaves_base(const Json& init) {
    return init.is_boolean() || init == "gaussian" || init == "eva" || init == "orthogonal";
  }

  template <class Fits>
  double number(const char* key, double fallback, Fits fits, const std::string& wanted) {
    const auto value = find(key);
    if (!value) return fallback;
    const double number = value->number(wanted);
    if (!std::isfinite(static_cast<float>(number)) || !fits(number)) value->refuse(wanted);
    return number;
  }

  bool flag(const char* key) {
    const auto value = find(key);
    return value && value->boolean();
  }

  std::string text(const char* key) {
    const auto value = find(key);
    if (!value) return "";
    if (!value->is_string() || value->string().find('\0') != std::string::npos) {
      value->refuse("text without a zero byte, or null");
    }
    return value->string();
  }

  // PEFT's question-answering model adds "qa_outputs" to every list, even if the list has it or
  // the model has no such module; then it means nothing.
  std::vector<std::string> read_modules_to_save() {
    const auto found = find("modules_to_save");
    if (!found) return {};
    const Json& value = found->value();
    const std::vector<std::string> heads = head_modules();
    const auto is_of_a_head = [&](const Json& name) {
      return std::any_of(heads.begin(), heads.end(), [&](const std::string& head) {
        return name == head || (name.is_string() && head.starts_with(name.as_string() + "."));
      });
    };
    if (!value.is_array() || !std::ranges::all_of(value, is_of_a_head)) {
      found->refuse(
          fmt::format("a list of modules of the head ({}) or null: no others are trained "
                      "whole next to adapters",
                      join(heads, ", ")));
    }
    std::vector<std::string> modules;
    for (const Json& name : value) {
      if (std::find(modules.begin(), modules.end(), name.as_string()) == modules.end()) {
        modules.push_back(name.as_string());
      }
    }
    return modules;
  }

  void read_targets(AdapterConfig& config) {
    std::vector<std::string>& targets = config.lora.targets;
    const auto found = find("target_modules");
    if (found && found->is_string()) {
      // Python's re matches the pattern with whole names.
      config.targets_by_weights = true;
    } else if (found) {
      const Json& value = found->value();
      if (!value.is_array() || !std::ranges::all_of(value, &Json::is_string)) {
        found->refuse("a list of modules' names");
      }
      targets = value.get<std::vector<std::string>>();
      // "all-linear" includes the head, which PEFT then leaves to modules_to_save.
      std::erase_if(targets, [&](const std::string& name) { return config.saves(name); });
      if (targets.empty()) found->refuse("a list of linear layers");
    }
    for (const char* key : {"exclude_modules", "layers_to_transform"}) {
      const auto value = find(key);
      if (value && !is_off(value->value())) config.targets_by_weights = true;
    }
    require_known();
  }

  // A newer PEFT's key that is on may compute anything.
  void require_known() {
    for (const auto& [key, view] : json_.members()) {
      const auto is_key = [&key = key](const char* one) { return key == one; };
      if (std::any_of(read_.begin(), read_.end(), is_key) ||
          std::any_of(std::begin(kWithoutEffect), std::end(kWithoutEffect), is_key)) {
        continue;
      }
      const Json& value = view.value();
      const bool switches = value == true || value.is_array() || value.is_object();
      if (switches && !is_off(value)) {
        view.refuse(
            "off: this program does not know what it does (a key of another version of PEFT)");
      }
    }
  }

  const JsonView& json_;
  std::vector<const char*> read_;
};

// LoraConfig's defaults, as PEFT writes them.
Json new_config() {
  return {{"alora_invocation_tokens", nullptr},
          {"alpha_pattern", Json::object()},
          {"arrow_config", nullptr},
          {"auto_mapping", nullptr},
          {"bias", "none"},
          {"corda_config", nullptr},
          {"ensure_weight_tying", false},
          {"eva_config", nullptr},
          {"exclude_modules", nullptr},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"layer_replication", nullptr},
          {"layers_pattern", nullptr},
          {"layers_to_transform", nullptr},
          {"loftq_config", Json::object()},
          {"lora_bias", false},
          {"megatron_config", nullptr},
          {"megatron_core", "megatron.core"},
          {"peft_type", "LORA"},
          {"peft_version", kPeftVersion},
          {"qalora_group_size", 16},
          {"rank_pattern", Json::object()},
          {"target_parameters", nullptr},
          {"trainable_token_indices", nullptr},
          {"use_dora", false},
          {"use_qalora", false}};
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// PEFT declares lora_alpha an integer and accepts any number.
Json number_json(double value) {
  const bool whole = value == std::floor(value) && std::abs(value) < 0x1p53;
  return whole ? Json(static_cast<long long>(value)) : Json(value);
}

}  // namespace

bool AdapterConfig::saves(std::string_view name) const {
  return std::any_of(saved_modules.begin(), saved_modules.end(), [&](const std::string& module) {
    return name == module || name.starts_with(module + ".");
  });
}

AdapterConfig parse_adapter_config(std::string_view text, const std::string& place) {
  if (text.empty()) throw Error(ErrorCode::kBadModel, place, "the file is empty");
  const Json json = parse_json(text, place, ErrorCode::kBadModel);
  const JsonView view(json, place);
  AdapterConfig config = Reader(view).read();
  config.original_text = std::string(text);
  return config;
}

AdapterConfig adapter_config_for(const LoraConfig& lora, const EncoderSpec& spec,
                                 const ModelDirectory& model) {
  AdapterConfig config;
  if (model.is_adapter()) {
    config = read_adapter_config(model.path);
    // The file goes on to choose the layers in its own way.
    config.lora = {.rank = lora.rank,
                   .alpha = lora.alpha,
                   .dropout = lora.dropout,
                   .rank_stabilized = lora.rank_stabilized,
                   .targets = config.lora.targets};
  } else {
    config.lora = lora;
  }
  config.saved_modules.clear();
  for (const std::string_view module : spec.head.modules()) {
    config.saved_modules.emplace_back(module);
  }
  config.base_model =
      model.hub_id.empty() ? fs::absolute(model.base).lexically_normal().string() : model.hub_id;
  config.base_revision = model.hub_revision;
  return config;
}

std::string adapter_config_text(const AdapterConfig& config) {
  const bool is_new = config.original_text.empty();
  Json json = is_new ? new_config()
                     : parse_json(config.original_text, kAdapterConfigFile, ErrorCode::kInternal);
  json["base_model_name_or_path"] = config.base_model;
  json["revision"] = text_or_null(config.base_revision);
  json["inference_mode"] = true;
  json["lora_alpha"] = number_json(config.lora.alpha);
  json["lora_dropout"] = config.lora.dropout;
  json["modules_to_save"] = config.saved_modules;
  json["r"] = config.lora.rank;
  json["task_type"] = "QUESTION_ANS";
  json["auto_mapping"] = nullptr;  // of adapters without a task
  json["use_rslora"] = config.lora.rank_stabilized;
  const Json* targets = json.find("target_modules");
  if (targets == nullptr || targets->is_null()) json["target_modules"] = config.lora.targets;
  return dump_python_json(json, {.indent = 2, .sort_keys = true});
}

LoraConfig read_adapter_lora(const std::filesystem::path& directory, const ModelConfig& base) {
  const std::string file = (directory / kAdapterConfigFile).string();
  return settle_targets(read_adapter_config(directory).lora,
                        encoder_spec(base.model_type, ErrorCode::kBadModel, file), base,
                        ErrorCode::kBadModel, {.file = file});
}

}  // namespace spanforge
