#include "spanforge/model/model_info.h"

#include <set>

#include "spanforge/model/adapter_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/weight_io.h"

namespace spanforge {
namespace {

int64_t bytes_per_activation(Precision precision) { return precision == Precision::kBF16 ? 2 : 4; }

int64_t parameter_count(const ModelConfig& config) {
  const EncoderSpec& spec =
      encoder_spec(config.model_type, ErrorCode::kBadModel, "model configuration");
  return build_parameter_table(spec, config).parameter_count;
}

int64_t block_bytes_per_token(const ModelConfig& config, Precision precision) {
  const int64_t h = config.hidden_size, f = config.intermediate_size;
  return bytes_per_activation(precision) * (8 * h + 2 * f) + 4 * (config.num_attention_heads + 4);
}

// What the projection of narrow embeddings adds (ProjectionActivations, and the norm before it).
int64_t projection_bytes_per_token(const ModelConfig& config) {
  const EncoderSpec& spec =
      encoder_spec(config.model_type, ErrorCode::kBadModel, "model configuration");
  if (!spec.has_projection(config)) return 0;
  const int64_t norm = spec.embeddings.projected_before_norm ? config.hidden_size : 0;
  return 4 * (2 * (spec.width(config) + 1) + norm);
}

// What a pass keeps of the table of distances and its projections, and, in training, what its
// backward takes beside that.
int64_t distance_bytes(const ModelConfig& config, Precision precision, bool training) {
  const EncoderSpec& spec =
      encoder_spec(config.model_type, ErrorCode::kBadModel, "model configuration");
  const RelativeForm form = spec.relative_form(config);
  if (form.kind != RelativeKind::kProjected) return 0;
  const int64_t b = bytes_per_activation(precision);
  const int64_t terms = int64_t{form.adds_keys} + int64_t{form.adds_queries};
  const int64_t projected = config.num_hidden_layers * terms * b;
  const int64_t copies = precision == Precision::kBF16 ? 2 * terms + 4 : 0;
  const int64_t backward = 4 + 4 * terms + b + (config.hidden_dropout_prob > 0 ? b : 0) + copies;
  const int64_t norm = form.has_norm ? 4 : 0;
  return form.rows * config.hidden_size * (projected + (training ? norm + b + backward : 0));
}

MemoryEstimate estimate_weights(const ModelConfig& config, Precision precision) {
  const int64_t n = parameter_count(config);
  return {.weights = 4 * n, .shadow = precision == Precision::kBF16 ? 2 * n : 0};
}

std::string part_of(const EncoderSpec& spec, const Parameter& parameter) {
  if (parameter.name.starts_with(spec.head)) return std::string(spec.head);
  const std::string layers = std::string(spec.base_prefix) + std::string(spec.layers.module);
  const auto is_of = [&](std::string_view module) {
    return !module.empty() &&
           parameter.name.starts_with(std::string(spec.base_prefix) + std::string(module) + ".");
  };
  const bool is_relative = is_of(spec.relative.table) || is_of(spec.relative.norm);
  return is_relative || parameter.name.starts_with(layers) ? "encoder" : "embeddings";
}

// Its weights are there, of the right shapes and finite? Returns whether the head is among them.
bool prove_adapter(const ModelDirectory& directory, const EncoderSpec& spec,
                   const ModelConfig& config) {
  Learning learning;
  learning.lora = read_adapter_lora(directory.path, config);
  const bool has_head = read_adapter_config(directory.path).saves_head;
  const ParameterTable table = build_parameter_table(spec, config, learning);
  std::vector<float> memory;
  read_adapter_weights(directory.path, adapter_parameters(table.rows, has_head), [&](const Parameter& parameter) {
    memory.resize(static_cast<size_t>(parameter.size));
    return memory.data();
  });
  return has_head;
}

}  // namespace

ModelInfo inspect_model(const ModelDirectory& directory) {
  ModelInfo info{.config = ModelConfig::from_directory(directory.base)};
  const EncoderSpec& spec = encoder_spec(info.config.model_type, ErrorCode::kBadModel,
                                         (directory.base / "config.json").string());
  const ParameterTable table = build_parameter_table(spec, info.config);
  const WeightFiles files(directory.base);
  WeightMatch match = match_weights(files, spec, table, /*may_lack_head=*/true);
  if (directory.is_adapter() && prove_adapter(directory, spec, info.config)) {
    match.report.initialized.clear();
  }
  info.architecture = spec.architecture;
  info.parameters = table.parameter_count;
  info.weight_file = files.path();
  info.report = with_note(match.report, info.config);
  info.parts = {{"embeddings"}, {"encoder"}, {std::string(spec.head)}};
  for (const Parameter& parameter : table.rows) {
    for (PartSize& part : info.parts) {
      if (part.part == part_of(spec, parameter)) part.parameters += parameter.size;
    }
  }
  std::set<std::string> types;
  for (const StoredTensor* stored : match.stored) {
    if (stored != nullptr) types.emplace(stored_type_name(stored->type));
  }
  info.stored_types.assign(types.begin(), types.end());
  return info;
}

MemoryEstimate estimate_training_memory(const ModelConfig& config, Precision precision,
                                        int64_t tokens) {
  MemoryEstimate estimate = estimate_weights(config, precision);
  estimate.gradients = estimate.weights;
  estimate.moments = 2 * estimate.weights;
  const int64_t h = config.hidden_size, f = config.intermediate_size;
  const int64_t once = bytes_per_activation(precision) * (8 * h + f) + 24;
  const int64_t head = precision == Precision::kBF16 ? 4 * h : 0;
  estimate.activations =
      tokens * (config.num_hidden_layers * block_bytes_per_token(config, precision) + once + head +
                projection_bytes_per_token(config)) +
      distance_bytes(config, precision, /*training=*/true);
  return estimate;
}

MemoryEstimate estimate_answering_memory(const ModelConfig& config, Precision precision,
                                         int64_t tokens) {
  MemoryEstimate estimate = estimate_weights(config, precision);
  // One block's, which all of them overwrite (allocate_passing_block).
  const int64_t h = config.hidden_size, f = config.intermediate_size;
  const int64_t block =
      bytes_per_activation(precision) * (8 * h + f) + 4 * (config.num_attention_heads + 2);
  const int64_t head = precision == Precision::kBF16 ? 4 * h : 0;
  estimate.activations = tokens * (block + head + projection_bytes_per_token(config)) +
                         distance_bytes(config, precision, /*training=*/false);
  return estimate;
}

}  // namespace spanforge
