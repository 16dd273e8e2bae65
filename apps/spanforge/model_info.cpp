#include "spanforge/model/model_info.h"

#include "command.h"
#include "common.h"
#include "load_model.h"
#include "output.h"
#include "spanforge/model/adapter_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/optimizer.h"

namespace spanforge::app {
namespace {

Json memory_json(const MemoryEstimate& estimate) {
  return {{"total", estimate.total()},   {"weights", estimate.weights},
          {"shadow", estimate.shadow},   {"gradients", estimate.gradients},
          {"moments", estimate.moments}, {"activations", estimate.activations}};
}

std::string megabytes(const Json& memory) {
  return fmt::format("{:.1f} MB (weights {:.1f}, activations {:.1f})",
                     memory["total"].get<double>() / 1e6, memory["weights"].get<double>() / 1e6,
                     memory["activations"].get<double>() / 1e6);
}

Json memory_to_train(const ModelConfig& config, Precision precision, int64_t tokens,
                     OptimizerName optim) {
  MemoryEstimate estimate = estimate_training_memory(config, precision, tokens);
  estimate.moments = optimizer_state_bytes(spelling_of(optim), config);
  return memory_json(estimate);
}

Json describe(const ModelInfo& info, const Tokenizer& tokenizer, int64_t tokens,
              OptimizerName optim) {
  Json parts = Json::object();
  for (const PartSize& part : info.parts) parts[part.part] = part.parameters;
  Json types = info.stored_types;
  const ModelConfig& config = info.config;
  return {
      {"architecture", info.architecture},
      {"model_type", config.model_type},
      {"parameters", info.parameters},
      {"parts", std::move(parts)},
      {"dtype", std::move(types)},
      {"weights", info.weight_file.filename().string()},
      {"newly_initialized", info.report.initialized},
      {"unused", info.report.unused},
      {"num_hidden_layers", config.num_hidden_layers},
      {"hidden_size", config.hidden_size},
      {"num_attention_heads", config.num_attention_heads},
      {"intermediate_size", config.intermediate_size},
      {"max_position_embeddings", config.max_position_embeddings},
      {"vocab_size", config.vocab_size},
      {"tokenizer_entries", tokenizer.vocabulary_size()},
      {"tokens_of_a_batch", tokens},
      {"memory_to_answer", memory_json(estimate_answering_memory(config, Precision::kF32, tokens))},
      {"memory_to_train", memory_to_train(config, Precision::kF32, tokens, optim)},
      {"memory_to_train_bf16", memory_to_train(config, Precision::kBF16, tokens, optim)}};
}

void add_adapter(const ModelDirectory& model, Json& report) {
  const LoraConfig lora = read_adapter_config(model.path).lora;
  report["base_model"] = model.base.string();
  report["lora"] = {{"r", lora.rank},
                    {"lora_alpha", lora.alpha},
                    {"lora_dropout", lora.dropout},
                    {"use_rslora", lora.rank_stabilized},
                    {"target_modules", lora.targets}};
}

}  // namespace

int run_model_info(const Arguments& arguments) {
  std::string model;
  OptimizerName optim = TrainingArguments().optim;
  int64_t tokens = 8 * 384;
  bool json = false;
  OptionTable table;
  table(kModelOption, model);
  table({"tokens", "tokens of a batch, for the memory it takes", "1..1000000000"}, tokens);
  table({"optim", "optimiser, for the memory it takes to train", ""}, optim);
  table.add_switch(kJsonOption, json);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  const ModelDirectory directory = resolve_model(model);
  const ModelInfo info = inspect_model(directory);
  Json report = describe(info, Tokenizer::from_directory(directory.tokenizer()), tokens, optim);
  if (directory.is_adapter()) add_adapter(directory, report);
  if (json) return print_json(report), 0;
  for (const auto& [key, value] : report.items()) {
    emit("{:<25} {}\n", key, key.starts_with("memory") ? megabytes(value) : python_str(value));
  }
  note_loaded(directory, info.report);
  if (const auto message = new_weights_message(info.report, info.config, model)) {
    for (const std::string& line : message_lines(*message)) note(line);
  }
  return 0;
}

}  // namespace spanforge::app
