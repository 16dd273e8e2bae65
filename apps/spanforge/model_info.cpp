#include <nlohmann/json.hpp>
#include <set>

#include "command.h"
#include "common.h"
#include "output.h"
#include "spanforge/formats/weights.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::app {
namespace {

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

// Element types in the weight files, e.g. "F32" or "BF16+F32".
std::string stored_types(const WeightFiles& weights) {
  std::set<std::string_view> names;
  for (const StoredTensor& tensor : weights.tensors()) names.insert(stored_type_name(tensor.type));
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += '+';
    out += name;
  }
  return out;
}

}  // namespace

int run_model_info(const Arguments& arguments) {
  std::string model;
  bool json = false;
  OptionTable table;
  table(kModelOption, model);
  table.add_switch(kJsonOption, json);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  const fs::path directory = resolve_model(model);
  const ModelConfig config = ModelConfig::from_directory(directory);
  const EncoderSpec& spec =
      encoder_spec(config.model_type, ErrorCode::kBadModel, (directory / "config.json").string());
  const ParameterTable parameters = build_parameter_table(spec, config);
  const WeightFiles weights(directory);
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  bool has_head = true;
  for (size_t i = 0; i < parameters.head_rows; ++i) {
    has_head = has_head && weights.find(parameters.rows[i].name) != nullptr;
  }
  // Weights to answer; weights, gradients and two moments to train, each in fp32; bf16 adds a
  // shadow of the weights. Activations come on top: they grow with the tokens of a batch.
  const int64_t answer_bytes = parameters.arena_size * 4;
  const int64_t train_bytes = parameters.arena_size * 16;
  const Json info = {{"architecture", std::string(spec.architecture)},
                     {"model_type", config.model_type},
                     {"parameters", parameters.parameter_count},
                     {"dtype", stored_types(weights)},
                     {"weights", weights.path().filename().string()},
                     {"question_answering_head", has_head},
                     {"num_hidden_layers", config.num_hidden_layers},
                     {"hidden_size", config.hidden_size},
                     {"num_attention_heads", config.num_attention_heads},
                     {"intermediate_size", config.intermediate_size},
                     {"max_position_embeddings", config.max_position_embeddings},
                     {"vocab_size", config.vocab_size},
                     {"tokenizer_entries", tokenizer.vocabulary_size()},
                     {"memory_to_answer_bytes", answer_bytes},
                     {"memory_to_train_bytes", train_bytes}};
  if (json) return print_json(info), 0;
  for (const auto& [key, value] : info.items()) {
    const bool is_memory = key.ends_with("_bytes");
    const std::string label = is_memory ? key.substr(0, key.size() - 6) : key;
    emit("{:<25}{}\n", label,
         is_memory ? megabytes(value.get<int64_t>()) + " besides activations" : python_str(value));
  }
  return 0;
}

}  // namespace spanforge::app
