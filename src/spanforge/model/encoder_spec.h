#pragma once
// Families of encoders as data. A family is one EncoderSpec value, made by one file in families/:
// how its config.json spells sizes, which embedding tables are summed, what HF calls its modules,
// where dropout stands, which layers share weights. The parameter table (parameter_table.h) and the
// passes (encoder.h) visit it; nothing else asks which family a model is. What every published
// model here has in common (post-norm blocks, plain attention, a linear head) is not stated; a
// family that differs there brings the variant into the spec and into the pass.
//
// Source of every family: transformers 4.57, models/NAME/{modeling,configuration}_NAME.py.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "spanforge/model/config.h"

namespace spanforge {

// A key of config.json and the value that it states.
struct ConfigKey {
  std::string_view key;  // the family's own spelling
  std::variant<int32_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
               std::string ModelConfig::*, std::vector<std::string> ModelConfig::*>
      value;
  bool may_be_zero = false;  // a number that must be above 0 in other families
  bool is_optional = false;  // HF's class writes it only where it was given
};

// Which ids of a batch an embedding table is indexed by.
enum class EmbeddingIds {
  kTokens,
  kPositions,
  kTokenTypes,  // all 0 where the table has one row, whatever the tokenizer says
  kZeros,
};

struct EmbeddingSpec {
  std::string_view module;     // below the base model, e.g. "embeddings.word_embeddings"
  int32_t ModelConfig::*rows;  // the config value that says how many
  EmbeddingIds ids;
  bool has_padding_row = false;          // padding_row() starts as zeros and gets no gradient
  bool ModelConfig::*only_if = nullptr;  // the table is there where this is true; null: always
};

// Where positions begin in a window.
enum class PositionRule {
  kFromZero,       // 0, 1, 2 ...
  kBehindPadding,  // padding_row() + 1, and one more for each token of another id; tokens of that
                   // id are at padding_row()
};

// Tables are summed in this order, then LayerNorm, dropout and, where there is one, a projection.
struct EmbeddingsSpec {
  std::vector<EmbeddingSpec> tables;  // word embeddings first; in the order of HF's modules
  PositionRule positions = PositionRule::kFromZero;
  std::optional<int32_t> padding_row;  // whatever pad_token_id says
  std::string_view norm;
  int32_t ModelConfig::*width = &ModelConfig::hidden_size;  // E
  std::string_view projection;                              // a linear layer, E -> H; "": none
  bool always_projected = false;                            // false: only where E is not H
  bool projected_before_norm = false;                       // then the norm is H wide
  bool projection_has_bias = true;
};

// What is added to attention's scores by how far two tokens are apart.
enum class RelativeKind {
  kNone,
  kBiases,     // a number a head (Raffel et al. 2020): table [R,A], added unscaled
  kProjected,  // rows that each layer projects to keys and queries (He et al. 2021): table [R,H]
};

constexpr int32_t kDistanceBuckets = 32;  // of kBiases; the table may have more rows, of no use

// One table for all layers, R rows for buckets of distances.
struct RelativeSpec {
  RelativeKind kind = RelativeKind::kNone;
  std::string_view table;  // below the base model
  std::string_view norm;   // of kProjected's rows, where the config asks for it
};
// What a config asks for of it.
struct RelativeForm {
  RelativeKind kind = RelativeKind::kNone;
  int32_t rows = 0;  // R
  // Of kProjected:
  bool has_norm = false;
  int32_t buckets = 0, farthest = 0;  // distances beyond half the buckets share them; 0: none do
  bool adds_keys = false;             // q_i . key(row)
  bool adds_queries = false;          // k_j . query(row)
  bool projects_itself = false;       // false: by the block's own query and key
};

// The two terms of kProjected.
enum class DistanceTerm : size_t { kKeys, kQueries };
constexpr size_t kDistanceTerms = 2;

// What a module of a block is for.
enum class BlockRole {
  kQuery,
  kKey,
  kValue,
  kDistanceKey,  // of the table of distances, where the config asks for projections of its own
  kDistanceQuery,
  kAttentionOutput,
  kAttentionNorm,
  kIntermediate,
  kOutput,
  kOutputNorm,
};

struct BlockModule {
  BlockRole role;
  std::string_view name;  // below the block's module
};

// One post-norm block.
struct BlockSpec {
  std::vector<BlockModule> modules;  // in the order of HF's class: optimiser files follow it
};

// The linear layers of a block, in the order in which it runs them.
enum class BlockLinear : size_t { kQkv, kAttentionOutput, kIntermediate, kOutput };
constexpr size_t kBlockLinears = 4;
constexpr BlockLinear kAllBlockLinears[kBlockLinears] = {
    BlockLinear::kQkv, BlockLinear::kAttentionOutput, BlockLinear::kIntermediate,
    BlockLinear::kOutput};
const char* block_linear_name(BlockLinear linear);  // "qkv", "attention_output", ...

// A module that is a linear layer of a block, or a part of one: its rows [out,in] are the layer's
// from first_output on.
struct BlockLinearModule {
  std::string_view name;  // below the block's module
  BlockLinear linear;
  int64_t out, in, first_output;
};

struct LayersSpec {
  std::string_view module;  // block i is module.i, or module.i.inside
  std::string_view inside;
  // How many blocks have weights of their own; consecutive layers share where there are fewer than
  // layers.
  int32_t ModelConfig::*blocks = &ModelConfig::num_hidden_layers;
};

// Where dropout stands; the numbers are part of the masks' keys.
enum class DropoutSite : uint64_t {
  kEmbeddings = 1,   // behind the embeddings' norm (layer 0)
  kAttention,        // on attention's probabilities
  kAttentionOutput,  // before the sum of attention's output and its input
  kOutput,           // before the sum of a block's second half
  kHead,             // before the head (layer 0)
  kAdapter,          // on the inputs of LoRA adapters
  kDistances = 8,    // on the table of distances, in every layer anew
  kDistanceAdapter,  // on the inputs of adapters that project that table
};
constexpr size_t kDropoutSites = 9;

struct DropoutRow {
  DropoutSite site;
  double ModelConfig::*probability;
};

struct EncoderSpec {
  std::string_view model_type;    // config.json's
  std::string_view architecture;  // config.json's architectures, with a question-answering head
  std::string_view base_prefix;   // of the base model's keys; checkpoints of the base model lack it
  std::vector<ConfigKey> config_keys;  // that change computation, but model_type
  ModelConfig defaults;                // what a key says that is missing
  std::optional<ModelConfig> usual;    // what a new model is made like; nullopt: the defaults
  EmbeddingsSpec embeddings;
  LayersSpec layers;
  BlockSpec block;
  RelativeSpec relative;
  std::vector<DropoutRow> dropout;  // sites that are not listed have none
  std::string_view head;

  std::vector<EmbeddingSpec> tables(const ModelConfig& config) const;  // those that are there
  int32_t width(const ModelConfig& config) const;                      // E
  bool has_projection(const ModelConfig& config) const;
  bool has_position_table(const ModelConfig& config) const;
  RelativeForm relative_form(const ModelConfig& config) const;
  // Scores are divided by the root of the head's size times this.
  int32_t score_terms(const ModelConfig& config) const;
  // Of the words' table, and where positions begin behind it; below 0: there is none.
  int32_t padding_row(const ModelConfig& config) const;
  // Whose weights a layer runs with.
  size_t block_of(int32_t layer, const ModelConfig& config) const;
  // Below base_prefix.
  std::string block_module(size_t index) const;
  // Below the block's module; "" where a block has none of that role.
  std::string_view block_name(BlockRole role) const;
  std::string_view distance_module(DistanceTerm term, const ModelConfig& config) const;
  // Those that are there, in the order of BlockSpec::modules.
  std::vector<BlockModule> block_modules(const ModelConfig& config) const;
  // In the order in which a block runs them.
  std::vector<BlockLinearModule> block_linear_modules(const ModelConfig& config) const;
};

// Error{code, place} naming the types that are supported.
const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                std::string_view place);
// Of all families, in the order of their names.
std::vector<std::string> supported_model_types();

}  // namespace spanforge
