#include "spanforge/model/encoder_spec.h"

#include <algorithm>
#include <iterator>

#include "spanforge/base/join.h"
#include "spanforge/model/families/family.h"

namespace spanforge {

// The build lists the files of families/ (CMakeLists.txt) as SPANFORGE_FAMILY(name), a line per
// file.
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
                 return config.*table.rows > 0 &&
                        (table.only_if == nullptr || config.*table.only_if);
               });
  return there;
}

int32_t EncoderSpec::width(const ModelConfig& config) const {
  const int32_t stated = config.*embeddings.width;
  return stated == 0 ? config.hidden_size : stated;
}

bool EncoderSpec::has_projection(const ModelConfig& config) const {
  if (embeddings.projection.empty()) return false;
  return embeddings.always_projected || width(config) != config.hidden_size;
}

bool EncoderSpec::has_position_table(const ModelConfig& config) const {
  const std::vector<EmbeddingSpec> there = tables(config);
  return std::any_of(there.begin(), there.end(), [](const EmbeddingSpec& table) {
    return table.ids == EmbeddingIds::kPositions;
  });
}

// transformers' DebertaV2Encoder and DisentangledSelfAttention.
RelativeForm EncoderSpec::relative_form(const ModelConfig& config) const {
  if (relative.kind == RelativeKind::kBiases) {
    return {.kind = relative.kind, .rows = config.relative_attention_num_buckets};
  }
  if (relative.kind == RelativeKind::kNone || !config.relative_attention) return {};
  const auto has_term = [&](const char* term) {
    return std::find(config.pos_att_type.begin(), config.pos_att_type.end(), term) !=
           config.pos_att_type.end();
  };
  const int32_t farthest = config.max_relative_positions > 0 ? config.max_relative_positions
                                                             : config.max_position_embeddings;
  const bool has_buckets = config.position_buckets > 0;
  return {.kind = relative.kind,
          .rows = 2 * (has_buckets ? config.position_buckets : farthest),
          .has_norm = config.norm_rel_ebd == "layer_norm",
          .buckets = has_buckets ? config.position_buckets : 0,
          .farthest = farthest,
          .adds_keys = has_term("c2p"),
          .adds_queries = has_term("p2c"),
          .projects_itself = !config.share_att_key};
}

int32_t EncoderSpec::score_terms(const ModelConfig& config) const {
  // The terms count without relative attention, too.
  return 1 + static_cast<int32_t>(config.pos_att_type.size());
}

int32_t EncoderSpec::padding_row(const ModelConfig& config) const {
  return embeddings.padding_row.value_or(config.pad_token_id);
}

size_t EncoderSpec::block_of(int32_t layer, const ModelConfig& config) const {
  // As in transformers' AlbertTransformer.
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

std::string_view EncoderSpec::distance_module(DistanceTerm term, const ModelConfig& config) const {
  const RelativeForm form = relative_form(config);
  const bool is_keys = term == DistanceTerm::kKeys;
  if (!form.projects_itself || !(is_keys ? form.adds_keys : form.adds_queries)) return {};
  return block_name(is_keys ? BlockRole::kDistanceKey : BlockRole::kDistanceQuery);
}

std::vector<BlockModule> EncoderSpec::block_modules(const ModelConfig& config) const {
  std::vector<BlockModule> modules = block.modules;
  std::erase_if(modules, [&](const BlockModule& module) {
    return (module.role == BlockRole::kDistanceKey &&
            distance_module(DistanceTerm::kKeys, config).empty()) ||
           (module.role == BlockRole::kDistanceQuery &&
            distance_module(DistanceTerm::kQueries, config).empty());
  });
  return modules;
}

std::vector<BlockLinearModule> EncoderSpec::block_linear_modules(const ModelConfig& config) const {
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t intermediate = block.gated ? 2 * inner : inner;
  struct Row {
    BlockRole role;
    BlockLinear linear;
    int64_t out, in;
  };
  const Row rows[] = {{BlockRole::kQuery, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kKey, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kValue, BlockLinear::kQkv, hidden, hidden},
                      {BlockRole::kQueryKeyValue, BlockLinear::kQkv, 3 * hidden, hidden},
                      {BlockRole::kAttentionOutput, BlockLinear::kAttentionOutput, hidden, hidden},
                      {BlockRole::kIntermediate, BlockLinear::kIntermediate, intermediate, hidden},
                      {BlockRole::kOutput, BlockLinear::kOutput, hidden, inner}};
  std::vector<BlockLinearModule> modules;
  for (const Row& row : rows) {
    const auto module = std::find_if(block.modules.begin(), block.modules.end(),
                                     [&](const BlockModule& one) { return one.role == row.role; });
    if (module == block.modules.end()) continue;
    const bool goes_on = !modules.empty() && modules.back().linear == row.linear;
    const int64_t first = goes_on ? modules.back().first_output + modules.back().out : 0;
    const bool has_bias = module->bias == nullptr || config.*module->bias;
    modules.push_back({module->name, row.linear, row.out, row.in, first, has_bias, module->spread});
  }
  return modules;
}

std::string EncoderSpec::norm_behind_attention(size_t index) const {
  const bool before = block.norms == NormPlace::kBeforeBranches;
  const BlockRole role = before ? BlockRole::kOutputNorm : BlockRole::kAttentionNorm;
  return block_module(index) + "." + std::string(block_name(role));
}

std::string EncoderSpec::norm_behind_output(size_t index, const ModelConfig& config) const {
  if (block.norms == NormPlace::kBehindSums) {
    return block_module(index) + "." + std::string(block_name(BlockRole::kOutputNorm));
  }
  if (index + 1 == static_cast<size_t>(config.*layers.blocks))
    return std::string(layers.final_norm);
  return block_module(index + 1) + "." + std::string(block_name(BlockRole::kAttentionNorm));
}

int32_t EncoderSpec::reach(int32_t layer, const ModelConfig& config) const {
  if (!local_attention || layer % (config.*local_attention->every) == 0) return -1;
  return config.*local_attention->width / 2;
}

double EncoderSpec::theta(int32_t layer, const ModelConfig& config) const {
  const double local = config.*rotary->local_theta;
  return reach(layer, config) >= 0 && local != 0 ? local : config.*rotary->theta;
}

std::vector<std::string_view> HeadSpec::modules() const {
  if (!transform) return {output};
  return {transform->dense, transform->norm, output};
}

const char* block_linear_name(BlockLinear linear) {
  constexpr const char* kNames[] = {"qkv", "attention_output", "intermediate", "output"};
  return kNames[static_cast<size_t>(linear)];
}

const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                const ErrorPlace& place) {
  for (const EncoderSpec& spec : all_families()) {
    if (spec.model_type == model_type) return spec;
  }
  throw Error(code, place,
              "\"model_type\" is \"" + quote_for_message(model_type) +
                  "\"; supported: " + join(supported_model_types(), ", "));
}

std::vector<std::string> supported_model_types() {
  std::vector<std::string> types;
  for (const EncoderSpec& spec : all_families()) types.emplace_back(spec.model_type);
  return types;
}

}  // namespace spanforge
