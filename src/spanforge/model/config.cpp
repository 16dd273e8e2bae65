#include "spanforge/model/config.h"

#include <algorithm>
#include <cctype>
#include <concepts>
#include <type_traits>
#include <variant>

#include <fmt/core.h>

#include "spanforge/base/json_view.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"
#include "spanforge/model/attention_keys.h"
#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/weight_names.h"
#include "spanforge/ops/activation.h"

namespace spanforge {
namespace {

template <class T>
struct Field {
  std::string key;
  T least;
  T most;
  bool may_be_null = false;  // null is stored as 0
};

// The allowed values. The bounds are far above every published model. They keep sizes within 64
// bits and positions within the 16 bits that attention's dropout columns give them.
Field<int32_t> bounds_of(int32_t ModelConfig::*value) {
  struct Row {
    int32_t ModelConfig::*value;
    int32_t least, most;
  };
  static constexpr Row kRows[] = {
      {&ModelConfig::vocab_size, 1, 1 << 24},
      {&ModelConfig::embedding_size, 1, 1 << 16},
      {&ModelConfig::hidden_size, 1, 1 << 16},
      {&ModelConfig::num_hidden_layers, 1, 1 << 10},
      {&ModelConfig::num_hidden_groups, 1, 1 << 10},
      {&ModelConfig::inner_group_num, 1, 1},
      {&ModelConfig::num_attention_heads, 1, 1 << 12},
      {&ModelConfig::intermediate_size, 1, 1 << 20},
      {&ModelConfig::max_position_embeddings, 1, 1 << 16},
      {&ModelConfig::type_vocab_size, 1, 1 << 10},
      {&ModelConfig::task_type_vocab_size, 1, 1 << 10},
      {&ModelConfig::relative_attention_num_buckets, kDistanceBuckets, 1 << 10},
      {&ModelConfig::max_relative_positions, -1, 1 << 15},
      {&ModelConfig::position_buckets, -1, 1 << 15},
      {&ModelConfig::attention_head_size, 0, 1 << 16},
      {&ModelConfig::conv_kernel_size, 0, 1 << 10},
      {&ModelConfig::pad_token_id, -1, (1 << 24) - 1},  // -1: null
      {&ModelConfig::global_attention_every, 1, 1 << 10},
      {&ModelConfig::local_attention, 0, 1 << 16},
  };
  for (const Row& row : kRows) {
    if (row.value == value) return {"", row.least, row.most};
  }
  throw Error(ErrorCode::kInternal, {.file = "config.json"}, "a number without bounds");
}

Field<double> bounds_of(double ModelConfig::*value) {
  constexpr double kBelowOne = 1.0 - 0x1p-24;  // also below one as a float
  if (value == &ModelConfig::layer_norm_eps) return {"", 1e-30, 1.0};
  if (value == &ModelConfig::initializer_range) return {"", 0.0, 10.0};
  if (value == &ModelConfig::initializer_cutoff) return {"", 0.1, 1000.0, /*may_be_null=*/true};
  if (value == &ModelConfig::rope_theta) return {"", 1.0, 1e12};
  if (value == &ModelConfig::local_rope_theta) return {"", 1.0, 1e12, /*may_be_null=*/true};
  return {"", 0.0, kBelowOne};  // a dropout probability
}

std::string range_text(const Field<int32_t>& field) {
  return "an integer from " + std::to_string(field.least) + " to " + std::to_string(field.most);
}
std::string range_text(const Field<double>& field) {
  const bool below_one = field.most < 1.0;
  return "a number from " + python_repr(field.least) +
         (below_one ? std::string(" to below 1") : " to " + python_repr(field.most));
}

[[noreturn]] void bad_value(ErrorCode code, const ErrorPlace& place, const std::string& key,
                            const std::string& found, const std::string& wanted) {
  throw Error(code, place,
              "\"" + key + "\" is " + quote_for_message(found) + "; it must be " + wanted);
}

// Written so that NaN is out of every range.
template <class T>
bool is_in_range(const Field<T>& field, T value) {
  return value >= field.least && value <= field.most;
}

template <class T>
void check_range(const Field<T>& field, T value, ErrorCode code, const ErrorPlace& place) {
  if (field.may_be_null && value == 0) return;
  if (is_in_range(field, value)) return;
  std::string found;
  if constexpr (std::floating_point<T>) {
    found = python_repr(value);
  } else {
    found = std::to_string(value);
  }
  bad_value(code, place, field.key, found, range_text(field));
}

void read_number(const JsonView& json, const Field<int32_t>& field, int32_t& value) {
  const bool may_be_null = field.least < 0;
  value = may_be_null && json.is_null()
              ? -1
              : static_cast<int32_t>(json.integer(field.least, field.most));
}

void read_number(const JsonView& json, const Field<double>& field, double& value) {
  if (field.may_be_null && json.is_null()) {
    value = 0;
    return;
  }
  value = json.number(range_text(field));
  if (!is_in_range(field, value)) json.refuse(range_text(field));
}

// The words of "p2c | C2P", in lower case.
std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find('|', start), text.size());
    std::string word;
    for (const char c : text.substr(start, end - start)) {
      if (c != ' ') word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    words.push_back(std::move(word));
    start = end + 1;
  }
  return words;
}

// Words of a list, or separated by bars, as DebertaV2Config reads pos_att_type. null: none.
std::vector<std::string> read_words(const JsonView& json) {
  if (json.is_null()) return {};
  if (json.is_string()) return split_words(json.string());
  if (!json.value().is_array() || !std::ranges::all_of(json.value(), &Json::is_string)) {
    json.refuse("a string, a list of them or null");
  }
  return json.value().get<std::vector<std::string>>();
}

template <class T>
Field<T> field_of(const ConfigKey& key, T ModelConfig::*value) {
  Field<T> field = bounds_of(value);
  field.key = key.key;
  if (key.may_be_zero) field.least = 0;
  return field;
}

void read_value(const JsonView& json, const ConfigKey& key, ModelConfig& config) {
  const std::optional<JsonView> stated = json.find(key.key);
  if (!stated) return;
  std::visit(
      [&](auto member) {
        auto& value = config.*member;
        using T = std::remove_reference_t<decltype(value)>;
        if constexpr (std::same_as<T, std::string>) {
          value = stated->string();
        } else if constexpr (std::same_as<T, bool>) {
          value = stated->boolean();
        } else if constexpr (std::same_as<T, std::vector<std::string>>) {
          value = read_words(*stated);
        } else {
          read_number(*stated, field_of(key, member), value);
        }
      },
      key.value);
}

bool is_null(const ConfigKey& key, const ModelConfig& config) {
  if (const auto* number = std::get_if<double ModelConfig::*>(&key.value)) {
    return field_of(key, *number).may_be_null && config.**number == 0;
  }
  if (const auto* words = std::get_if<std::vector<std::string> ModelConfig::*>(&key.value)) {
    return (config.**words).empty();
  }
  return key.value == decltype(key.value)(&ModelConfig::pad_token_id) && config.pad_token_id < 0;
}

void write_value(const ConfigKey& key, const EncoderSpec& spec, const ModelConfig& config,
                 Json& json) {
  const std::string name(key.key);
  std::visit(
      [&](auto member) {
        const bool is_default = config.*member == spec.defaults.*member;
        if (is_default && key.is_optional && !json.contains(name)) return;
        json[name] = config.*member;
        if (is_null(key, config)) json[name] = nullptr;
      },
      key.value);
}

// The family's key of a value, for messages.
template <class T>
std::string key_of(const EncoderSpec& spec, T ModelConfig::*member) {
  for (const ConfigKey& key : spec.config_keys) {
    if (key.value == decltype(key.value)(member)) return std::string(key.key);
  }
  throw Error(ErrorCode::kInternal, {.file = "config.json"},
              "a value that the family has no key for");
}

// Keys that change computation in ways that no block here implements. They are errors, never
// ignored.
void refuse_unsupported(const JsonView& json, bool has_position_table) {
  if (const auto type = json.find("position_embedding_type");
      has_position_table && type && !type->is_null() && type->value() != "absolute") {
    type->refuse("\"absolute\" to be supported");
  }
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (const auto flag = json.find(key); flag && flag->value() == true) {
      flag->refuse("false: only encoders are supported");
    }
  }
  if (json.find("quantization_config")) {
    json.fail(
        "\"quantization_config\": quantised weights are not supported; use the checkpoint they "
        "were made from");
  }
}

// Keys of other families' files, which may also lack a model_type.
constexpr const char* kOtherFamiliesKeys[] = {"attention_window",
                                              "block_size",
                                              "d_model",
                                              "dim",
                                              "embedding_size",
                                              "emb_size",
                                              "global_attn_every_n_layers",
                                              "head_ratio",
                                              "inner_group_num",
                                              "local_attention",
                                              "max_2d_position_embeddings",
                                              "max_relative_position",
                                              "n_layer",
                                              "n_layers",
                                              "num_hidden_groups",
                                              "position_buckets",
                                              "relative_attention",
                                              "relative_attention_num_buckets",
                                              "rotary_value",
                                              "task_type_vocab_size",
                                              "true_hidden_size",
                                              "use_bottleneck",
                                              "use_relative_position",
                                              "use_task_id"};

// "BertForPreTraining", but not "BertGenerationEncoder".
bool is_berts_architecture(const Json& name) {
  if (!name.is_string()) return false;
  const auto text = name.get<std::string>();
  return text == "BertModel" || text == "BertLMHeadModel" || text.starts_with("BertFor");
}

// A config.json without model_type, as the first BERTs had. Its keys must clearly be BERT's.
void require_berts_keys(const Json& json, const std::string& place) {
  const auto refuse = [&](const std::string& why) {
    throw Error(
        ErrorCode::kBadModel, place,
        fmt::format("\"model_type\" is missing, and {}: if this is a BERT model's file, state "
                    "\"model_type\": \"bert\"",
                    why));
  };
  if (const Json* names = json.find("architectures"); names != nullptr && names->is_array()) {
    for (const Json& name : names->as_array()) {
      if (!is_berts_architecture(name)) {
        refuse("\"architectures\" names " + quote_for_message(name.dump()));
      }
    }
  }
  for (const char* key : {"vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                          "intermediate_size", "max_position_embeddings"}) {
    if (!json.contains(key)) refuse(fmt::format("so is \"{}\"", key));
  }
  for (const char* key : kOtherFamiliesKeys) {
    if (json.contains(key)) refuse(fmt::format("\"{}\" is not a key of BERT", key));
  }
  // RoBERTa's tables: one token type, positions after the padding row.
  for (const auto& [key, value] : {std::pair("type_vocab_size", 1), {"pad_token_id", 1}}) {
    if (const Json* found = json.find(key); found != nullptr && *found == value) {
      refuse(fmt::format("\"{}\" is {}, as in RoBERTa", key, value));
    }
  }
}

// The family's defaults.
ModelConfig with_type(const EncoderSpec& spec) {
  ModelConfig config = spec.defaults;
  config.model_type = spec.model_type;
  return config;
}

// DeBERTa's keys.
void check_relative(const ModelConfig& config, const EncoderSpec& spec, ErrorCode code,
                    const ErrorPlace& place) {
  const auto refuse = [&](const char* key, const std::string& found, const std::string& wanted) {
    bad_value(code, place, key, found, wanted);
  };
  const int32_t head_size = config.hidden_size / config.num_attention_heads;
  if (config.attention_head_size != 0 && config.attention_head_size != head_size) {
    refuse("attention_head_size", std::to_string(config.attention_head_size),
           fmt::format("{}, \"hidden_size\" over \"num_attention_heads\", to be supported",
                       head_size));
  }
  if (config.conv_kernel_size > 0) {
    refuse("conv_kernel_size", std::to_string(config.conv_kernel_size),
           "0: a convolution next to the first layer (DeBERTa-v2-xlarge's) is not supported");
  }
  for (const std::string& term : config.pos_att_type) {
    const auto& terms = config.pos_att_type;
    if ((term == "c2p" || term == "p2c") && std::count(terms.begin(), terms.end(), term) == 1)
      continue;
    refuse("pos_att_type", Json(terms).dump(), "\"c2p\", \"p2c\" or both, each once");
  }
  if (config.norm_rel_ebd != "none" && config.norm_rel_ebd != "layer_norm") {
    refuse("norm_rel_ebd", "\"" + config.norm_rel_ebd + "\"", "\"none\" or \"layer_norm\"");
  }
  const RelativeForm form = spec.relative_form(config);
  if (form.kind != RelativeKind::kProjected) return;
  if (!form.adds_keys && !form.adds_queries) {
    refuse("pos_att_type", "null", "\"c2p\", \"p2c\" or both if \"relative_attention\" is true");
  }
  if (form.buckets == 1) {
    refuse("position_buckets", "1", "-1, or at least 2");
  }
}

// Rows of the position table that no token of a window has.
int32_t unused_positions(const ModelConfig& config) {
  const EncoderSpec& spec =
      encoder_spec(config.model_type, ErrorCode::kInternal, {.where = "model configuration"});
  return spec.embeddings.positions == PositionRule::kBehindPadding ? spec.padding_row(config) + 1
                                                                   : 0;
}

}  // namespace

std::filesystem::path ModelConfig::file_in(const std::filesystem::path& directory) {
  const std::filesystem::path usual = directory / "config.json";
  const std::filesystem::path of_packs = directory / "bert_config.json";
  return !path_exists(usual) && path_exists(of_packs) ? of_packs : usual;
}

ModelConfig ModelConfig::from_directory(const std::filesystem::path& directory) {
  const std::filesystem::path file = file_in(directory);
  ModelConfig config = from_json_text(read_file(file), file.string());
  if (config.note_ && !find_weight_file(directory).empty()) {
    const WeightFiles weights(directory);
    const EncoderSpec& spec = encoder_spec(config.model_type, ErrorCode::kBadModel, file.string());
    if (!names_fit(weights.tensors(), spec)) {
      throw Error(
          ErrorCode::kBadModel, file.string(),
          fmt::format("\"model_type\" is missing, and the names of the weights in {} are not "
                      "{}'s; state the model's type",
                      weights.path().filename().string(), spec.model_type));
    }
  }
  return config;
}

ModelConfig ModelConfig::from_json_text(std::string_view text, const std::string& place) {
  if (text.empty()) throw Error(ErrorCode::kBadModel, place, "the file is empty");
  const Json json = parse_json(text, place, ErrorCode::kBadModel);
  const JsonView view(json, place);
  ModelConfig config;
  if (const auto type = view.find("model_type")) {
    config.model_type = type->string();
  } else {
    require_berts_keys(json, place);
    config.note_ = fmt::format(
        "{}: has no \"model_type\"; its keys are those of a {} model, and it is read as one", place,
        config.model_type);
  }
  const EncoderSpec& spec = encoder_spec(config.model_type, ErrorCode::kBadModel, place);
  std::optional<std::string> note = std::move(config.note_);
  config = with_type(spec);
  config.note_ = std::move(note);
  for (const ConfigKey& key : spec.config_keys) read_value(view, key, config);
  refuse_unsupported(view, spec.has_position_table(config));
  read_attention_keys(view, spec, config);
  config.check(ErrorCode::kBadModel, {.file = place});
  config.original_text_ = std::string(text);
  return config;
}

ModelConfig ModelConfig::like(PresetSize preset, const std::string& model_type) {
  // small is the "BERT-Small" of Turc et al. 2019; base and large are Devlin et al.'s.
  static const std::vector<ModelSize> kBerts = {{PresetSize::kTiny, 3, 128, 4, 512},
                                                {PresetSize::kSmall, 4, 512, 8, 2048},
                                                {PresetSize::kBase, 12, 768, 12, 3072},
                                                {PresetSize::kLarge, 24, 1024, 16, 4096}};
  const EncoderSpec& spec =
      encoder_spec(model_type, ErrorCode::kUsage, {.parameter = "model_type"});
  for (const ModelSize& size : spec.sizes.empty() ? kBerts : spec.sizes) {
    if (preset != size.preset) continue;
    ModelConfig config = spec.usual.value_or(spec.defaults);
    config.model_type = spec.model_type;
    config.num_hidden_layers = size.layers;
    config.hidden_size = size.hidden;
    config.num_attention_heads = size.heads;
    config.intermediate_size = size.inner;
    if (spec.has_position_table(config)) config.set_longest_input(512);
    return config;
  }
  throw Error(ErrorCode::kInternal, {.parameter = "like"}, "the family has no such preset");
}

int32_t ModelConfig::longest_input() const {
  // The number that attention's dropout columns can count.
  constexpr int32_t kUnlimited = 1 << 16;
  const EncoderSpec& spec =
      encoder_spec(model_type, ErrorCode::kInternal, {.where = "model configuration"});
  const RelativeForm form = spec.relative_form(*this);
  if (form.kind == RelativeKind::kProjected && !spec.has_position_table(*this)) {
    // Distances beyond half the buckets share them up to the farthest. If that is nearer, they have
    // none.
    const bool ends = form.buckets > 0 && form.farthest < form.buckets / 2 + 2;
    return ends ? form.buckets / 2 + 1 : kUnlimited;
  }
  return max_position_embeddings - unused_positions(*this);
}

void ModelConfig::set_longest_input(int32_t tokens) {
  max_position_embeddings = tokens + unused_positions(*this);
}

void ModelConfig::check(ErrorCode code, const ErrorPlace& place) const {
  const EncoderSpec& spec = encoder_spec(model_type, code, place);
  for (const ConfigKey& key : spec.config_keys) {
    std::visit(
        [&](auto member) {
          using T = std::remove_cvref_t<decltype(this->*member)>;
          if constexpr (std::same_as<T, int32_t> || std::same_as<T, double>) {
            check_range(field_of(key, member), this->*member, code, place);
          }
        },
        key.value);
  }
  if (hidden_size % num_attention_heads != 0) {
    bad_value(code, place, key_of(spec, &ModelConfig::hidden_size), std::to_string(hidden_size),
              fmt::format("a multiple of \"{}\", {}",
                          key_of(spec, &ModelConfig::num_attention_heads), num_attention_heads));
  }
  if (spec.rotary && hidden_size / num_attention_heads % 2 != 0) {
    bad_value(code, place, key_of(spec, &ModelConfig::hidden_size), std::to_string(hidden_size),
              fmt::format("an even multiple of \"{}\", {}: rotary positions turn halves of a head",
                          key_of(spec, &ModelConfig::num_attention_heads), num_attention_heads));
  }
  if (this->*spec.layers.blocks > num_hidden_layers) {
    bad_value(code, place, "num_hidden_groups", std::to_string(num_hidden_groups),
              fmt::format("at most \"num_hidden_layers\", {}", num_hidden_layers));
  }
  if (pad_token_id >= vocab_size) {
    bad_value(code, place, "pad_token_id", std::to_string(pad_token_id),
              "below \"vocab_size\", " + std::to_string(vocab_size));
  }
  const int32_t padding = spec.padding_row(*this);
  if (padding >= vocab_size) {
    bad_value(code, place, "vocab_size", std::to_string(vocab_size),
              fmt::format("above {}, the padding token's id in this family", padding));
  }
  if (spec.embeddings.positions == PositionRule::kBehindPadding) {
    if (padding < 0)
      bad_value(code, place, "pad_token_id", "null", "a number: positions follow it");
    if (longest_input() < 1) {
      const char* const begin = spec.embeddings.padding_row ? "it" : "\"pad_token_id\" + 1";
      bad_value(code, place, "max_position_embeddings", std::to_string(max_position_embeddings),
                fmt::format("above {}: positions begin at {}", padding + 1, begin));
    }
  }
  ops::parse_activation(hidden_act, code, place, key_of(spec, &ModelConfig::hidden_act));
  if (const auto& transform = spec.head.transform) {
    ops::parse_activation(this->*transform->activation, code, place,
                          key_of(spec, transform->activation));
  }
  check_relative(*this, spec, code, place);
}

std::string ModelConfig::to_json_text() const {
  const std::string place = "config.json";
  Json json = original_text_.empty() ? Json::object()
                                     : parse_json(original_text_, place, ErrorCode::kInternal);
  const EncoderSpec& spec = encoder_spec(model_type, ErrorCode::kInternal, place);
  json["model_type"] = model_type;
  for (const ConfigKey& key : spec.config_keys) write_value(key, spec, *this, json);
  json["architectures"] = Json::array({spec.architecture});
  // transformers before 4.56 reads torch_dtype, later ones write dtype and read both.
  json.erase("torch_dtype");
  json[json.contains("dtype") ? "dtype" : "torch_dtype"] = "float32";
  return dump_python_json(json, {.indent = 2, .sort_keys = true}) + "\n";
}

}  // namespace spanforge
