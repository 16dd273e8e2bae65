#include "spanforge/model/encoder_spec.h"

#include <algorithm>
#include <iterator>

#include "spanforge/base/join.h"
#include "spanforge/model/families/family.h"

namespace spanforge {

// The build lists the files of families/ (CMakeLists.txt): SPANFORGE_FAMILY(name), a line a file.
namespace families {
#define SPANFORGE_FAMILY(name) EncoderSpec name();
#include "spanforge_families.inc"
#undef SPANFORGE_FAMILY
}  // namespace families

namespace {

const std::vector<EncoderSpec>& all_families() {
  static const std::vector<EncoderSpec> all = {
#define SPANFORGE_FAMILY(name) families::name(),
#include "spanforge_families.inc"
#undef SPANFORGE_FAMILY
  };
  return all;
}

}  // namespace

std::vector<EmbeddingSpec> EncoderSpec::tables(const ModelConfig& config) const {
  std::vector<EmbeddingSpec> there;
  std::copy_if(embeddings.tables.begin(), embeddings.tables.end(), std::back_inserter(there),
               [&](const EmbeddingSpec& table) {
                 return table.only_if == nullptr || config.*table.only_if;
               });
  return there;
}

bool EncoderSpec::has_projection(const ModelConfig& config) const {
  if (embeddings.projection.empty()) return false;
  return embeddings.always_projected || config.*embeddings.width != config.hidden_size;
}

int32_t EncoderSpec::padding_row(const ModelConfig& config) const {
  return embeddings.padding_row.value_or(config.pad_token_id);
}

size_t EncoderSpec::block_of(int32_t layer, const ModelConfig& config) const {
  // As transformers' AlbertTransformer has it.
  const double layers_a_block =
      static_cast<double>(config.num_hidden_layers) / static_cast<double>(config.*layers.blocks);
  return static_cast<size_t>(static_cast<double>(layer) / layers_a_block);
}

std::string EncoderSpec::block_module(size_t index) const {
  const std::string module = std::string(layers.module) + "." + std::to_string(index);
  return layers.inside.empty() ? module : module + "." + std::string(layers.inside);
}

std::string_view EncoderSpec::block_name(BlockRole role) const {
  for (const BlockModule& module : block.modules) {
    if (module.role == role) return module.name;
  }
  return {};
}

std::vector<BlockLinearModule> EncoderSpec::block_linear_modules(const ModelConfig& config) const {
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  struct Row {
    BlockRole role;
    BlockLinear linear;
    int64_t out, in;
  };
  const Row rows[] = {{BlockRole::kQuery, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kKey, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kValue, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kAttentionOutput, BlockLinear::kAttentionOutput, hidden, hidden},
                      {BlockRole::kIntermediate, BlockLinear::kIntermediate, inner, hidden},
                      {BlockRole::kOutput, BlockLinear::kOutput, hidden, inner}};
  std::vector<BlockLinearModule> modules;
  for (const Row& row : rows) {
    const std::string_view name = block_name(row.role);
    if (name.empty()) continue;
    const bool goes_on = !modules.empty() && modules.back().linear == row.linear;
    const int64_t first = goes_on ? modules.back().first_output + modules.back().out : 0;
    modules.push_back({name, row.linear, row.out, row.in, first});
  }
  return modules;
}

const char* block_linear_name(BlockLinear linear) {
  constexpr const char* kNames[] = {"qkv", "attention_output", "intermediate", "output"};
  return kNames[static_cast<size_t>(linear)];
}

const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                std::string_view place) {
  for (const EncoderSpec& spec : all_families()) {
    if (spec.model_type == model_type) return spec;
  }
  throw Error(code, std::string(place),
              "\"model_type\" is \"" + quote_for_message(model_type) +
                  "\"; supported: " + join(supported_model_types(), ", "));
}

std::vector<std::string> supported_model_types() {
  std::vector<std::string> types;
  for (const EncoderSpec& spec : all_families()) types.emplace_back(spec.model_type);
  return types;
}

}  // namespace spanforge
