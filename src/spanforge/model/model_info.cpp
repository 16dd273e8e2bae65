#include "spanforge/model/model_info.h"

#include <set>

#include "spanforge/model/adapter_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/model/weight_io.h"

namespace spanforge {
namespace {

int64_t bytes_per_activation(Precision precision) { return precision == Precision::kBF16 ? 2 : 4; }

const EncoderSpec& spec_of(const ModelConfig& config) {
  return encoder_spec(config.model_type, ErrorCode::kBadModel, {.where = "model configuration"});
}

int64_t parameter_count(const ModelConfig& config) {
  return build_parameter_table(spec_of(config), config).parameter_count;
}

// The outputs of a block's intermediate layer.
int64_t intermediate(const ModelConfig& config) {
  return (spec_of(config).block.gated ? 2 : 1) * int64_t{config.intermediate_size};
}

int64_t block_bytes_per_token(const ModelConfig& config, Precision precision) {
  const int64_t h = config.hidden_size, f = config.intermediate_size;
  return bytes_per_activation(precision) * (8 * h + intermediate(config) + f) +
         4 * (config.num_attention_heads + 4);
}

// Tensors of the head, in f32 (HeadActivations).
int64_t head_bytes_per_token(const ModelConfig& config, Precision precision, bool training) {
  const int64_t tensor = 4 * config.hidden_size;
  const int64_t hidden = precision == Precision::kBF16 ? tensor : 0;
  if (!spec_of(config).head.transform) return hidden;
  return hidden + (training ? 3 : 2) * tensor + 8;
}

// What projecting narrow embeddings adds (ProjectionActivations, and the norm before it).
int64_t projection_bytes_per_token(const ModelConfig& config) {
  const EncoderSpec& spec = spec_of(config);
  if (!spec.has_projection(config)) return 0;
  const int64_t norm = spec.embeddings.projected_before_norm ? config.hidden_size : 0;
  return 4 * (2 * (spec.width(config) + 1) + norm);
}

// What a pass keeps of the table of distances and its projections, and, in training, what its
// backward pass needs in addition.
int64_t distance_bytes(const ModelConfig& config, Precision precision, bool training) {
  const RelativeForm form = spec_of(config).relative_form(config);
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

std::string head_part(const EncoderSpec& spec) {
  return spec.head.transform ? "head" : std::string(spec.head.output);
}

std::string part_of(const EncoderSpec& spec, const Parameter& parameter) {
  const auto begins = [&](std::string_view prefix, std::string_view module) {
    return !module.empty() &&
           parameter.name.starts_with(std::string(prefix) + std::string(module) + ".");
  };
  for (const std::string_view module : spec.head.modules()) {
    if (begins("", module)) return head_part(spec);
  }
  const bool in_encoder = begins(spec.base_prefix, spec.layers.module) ||
                          begins(spec.base_prefix, spec.layers.final_norm) ||
                          begins(spec.base_prefix, spec.relative.table) ||
                          begins(spec.base_prefix, spec.relative.norm);
  return in_encoder ? "encoder" : "embeddings";
}

// Checks that the adapter's weights exist, have the right shapes and are finite. Returns its
// configuration.
AdapterConfig prove_adapter(const ModelDirectory& directory, const EncoderSpec& spec,
                            const ModelConfig& config) {
  Learning learning;
  learning.lora = read_adapter_lora(directory.path, config);
  AdapterConfig adapter = read_adapter_config(directory.path);
  const ParameterTable table = build_parameter_table(spec, config, learning);
  std::vector<float> memory;
  read_adapter_weights(directory.path, adapter_parameters(table.rows, adapter),
                       [&](const Parameter& parameter) {
                         memory.resize(static_cast<size_t>(parameter.size));
                         return memory.data();
                       });
  return adapter;
}

}  // namespace

ModelInfo inspect_model(const ModelDirectory& directory) {
  ModelInfo info{.config = ModelConfig::from_directory(directory.base)};
  const EncoderSpec& spec = encoder_spec(info.config.model_type, ErrorCode::kBadModel,
                                         (directory.base / "config.json").string());
  const ParameterTable table = build_parameter_table(spec, info.config);
  const WeightFiles files(directory.base);
  WeightMatch match = match_weights(files, spec, table, /*may_lack_head=*/true);
  if (directory.is_adapter()) {
    const AdapterConfig adapter = prove_adapter(directory, spec, info.config);
    std::erase_if(match.report.initialized,
                  [&](const std::string& name) { return adapter.saves(name); });
  }
  info.architecture = spec.architecture;
  info.parameters = table.parameter_count;
  info.weight_file = files.path();
  info.report = with_note(match.report, info.config);
  info.parts = {{"embeddings"}, {"encoder"}, {head_part(spec)}};
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
  // A gated layer has one gradient of its own and one of its activation; the stream's gradient is
  // also separate from the norms'.
  const EncoderSpec& spec = spec_of(config);
  const int64_t inner = spec.block.gated ? intermediate(config) + f : f;
  const int64_t wide = spec.block.norms == NormPlace::kBehindSums ? 8 * h : 9 * h;
  const int64_t once = bytes_per_activation(precision) * (wide + inner) + 24;
  estimate.activations =
      tokens * (config.num_hidden_layers * block_bytes_per_token(config, precision) + once +
                head_bytes_per_token(config, precision, /*training=*/true) +
                projection_bytes_per_token(config)) +
      distance_bytes(config, precision, /*training=*/true);
  return estimate;
}

MemoryEstimate estimate_answering_memory(const ModelConfig& config, Precision precision,
                                         int64_t tokens) {
  MemoryEstimate estimate = estimate_weights(config, precision);
  // All blocks overwrite the activations of one (allocate_passing_block).
  const int64_t h = config.hidden_size, f = config.intermediate_size;
  const int64_t inner = spec_of(config).block.gated ? intermediate(config) + f : f;
  const int64_t block =
      bytes_per_activation(precision) * (8 * h + inner) + 4 * (config.num_attention_heads + 2);
  estimate.activations =
      tokens * (block + head_bytes_per_token(config, precision, /*training=*/false) +
                projection_bytes_per_token(config)) +
      distance_bytes(config, precision, /*training=*/false);
  return estimate;
}

}  // namespace spanforge
