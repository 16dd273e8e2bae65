#pragma once
// Describes families of encoders as data. A family is one EncoderSpec value, made by one file in
// families/. It says how config.json spells sizes, which embedding tables are summed, how HF names
// the modules, where dropout is applied and which layers share weights. The parameter table
// (parameter_table.h) and the passes (encoder.h) read it; no other code asks which family a model
// is. The defaults of its fields are what is usual: norms after the sums, biases everywhere,
// attention to all tokens, a linear head. A family that differs in a new way adds a field to the
// spec and its computation to the pass.
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

// A key of config.json and the field that it sets.
struct ConfigKey {
  std::string_view key;  // the family's own spelling
  std::variant<int32_t ModelConfig::*, double ModelConfig::*, bool ModelConfig::*,
               std::string ModelConfig::*, std::vector<std::string> ModelConfig::*>
      value;
  bool may_be_zero = false;  // a number that must be above 0 in other families
  bool is_optional = false;  // HF's class writes it only if it was given
};

// Which ids of a batch an embedding table is indexed by.
enum class EmbeddingIds {
  kTokens,
  kPositions,
  kTokenTypes,  // all 0 if the table has one row, whatever the tokenizer says
  kZeros,
};

struct EmbeddingSpec {
  std::string_view module;     // below the base model, e.g. "embeddings.word_embeddings"
  int32_t ModelConfig::*rows;  // the config value that gives their number
  EmbeddingIds ids;
  bool has_padding_row = false;          // padding_row() starts as zeros and gets no gradient
  bool ModelConfig::*only_if = nullptr;  // the table exists if this is true; null: always
};

// The first position of a window.
enum class PositionRule {
  kFromZero,       // 0, 1, 2 ...
  kBehindPadding,  // padding_row() + 1, and one more for each token of another id; tokens of that
                   // id are at padding_row()
};

// How widely a module's weights spread at first: the standard deviation of a normal distribution.
// If the family has that key, values beyond initializer_cutoff_factor times it are drawn again.
enum class Spread {
  kRange,         // initializer_range
  kRangeByDepth,  // initializer_range / sqrt(2 layers), for what is added to the residual stream
  kInputs,        // 1 / sqrt(inputs)
};

// Tables are summed in this order. LayerNorm, dropout and, in some families, a projection follow.
struct EmbeddingsSpec {
  std::vector<EmbeddingSpec> tables;  // word embeddings first; in the order of HF's modules
  PositionRule positions = PositionRule::kFromZero;
  std::optional<int32_t> padding_row;  // whatever pad_token_id says
  std::string_view norm;
  int32_t ModelConfig::*width = &ModelConfig::hidden_size;  // E
  std::string_view projection;                              // a linear layer, E -> H; "": none
  bool always_projected = false;                            // false: only if E is not H
  bool projected_before_norm = false;                       // then the norm is H wide
  bool projection_has_bias = true;
};

// What attention's scores add for the distance of two tokens.
enum class RelativeKind {
  kNone,
  kBiases,     // a number per head (Raffel et al. 2020): table [R,A], added unscaled
  kProjected,  // rows that each layer projects to keys and queries (He et al. 2021): table [R,H]
};

constexpr int32_t kDistanceBuckets = 32;  // of kBiases; further rows of the table are not used

// One table for all layers, R rows for buckets of distances.
struct RelativeSpec {
  RelativeKind kind = RelativeKind::kNone;
  std::string_view table;  // below the base model
  std::string_view norm;   // of kProjected's rows, if the config asks for it
};
// What a config asks for.
struct RelativeForm {
  RelativeKind kind = RelativeKind::kNone;
  int32_t rows = 0;  // R
  // Of kProjected:
  bool has_norm = false;
  int32_t buckets = 0,
          farthest = 0;          // farther than half the buckets, distances share rows; 0: none do
  bool adds_keys = false;        // q_i . key(row)
  bool adds_queries = false;     // k_j . query(row)
  bool projects_itself = false;  // false: the block's own query and key project
};

// The two terms of kProjected.
enum class DistanceTerm : size_t { kKeys, kQueries };
constexpr size_t kDistanceTerms = 2;

// What a module of a block is for.
enum class BlockRole {
  kQuery,
  kKey,
  kValue,
  kQueryKeyValue,  // one module instead of three
  kDistanceKey,    // of the table of distances, if the config asks for separate projections
  kDistanceQuery,
  kAttentionOutput,
  kAttentionNorm,  // of the attention half
  kIntermediate,
  kOutput,
  kOutputNorm,  // of the feed-forward half
};

struct BlockModule {
  BlockRole role;
  std::string_view name;  // below the block's module
  Spread spread = Spread::kRange;
  bool ModelConfig::*bias = nullptr;  // a linear layer has a bias if this is true; null: always
};

// The place of the norms of a block's two halves.
enum class NormPlace {
  kBehindSums,      // x = norm(x + half(x))
  kBeforeBranches,  // x = x + half(norm(x)), and a final norm after the last block. The first block
                    // has no attention norm: the embeddings' norm comes before it.
};

struct BlockSpec {
  std::vector<BlockModule> modules;  // in the order of HF's class: optimiser files follow it
  NormPlace norms = NormPlace::kBehindSums;
  bool gated = false;  // the intermediate layer is two, [2F,H]: act(first) * second
};

// Positions as rotations of queries and keys (ops/rotary.h), in every layer.
struct RotarySpec {
  double ModelConfig::*theta;
  double ModelConfig::*local_theta;  // of layers that see near tokens only; 0: theta
};

// Layers that see near tokens only: all except each every-th, beginning with layer 0.
struct LocalAttentionSpec {
  int32_t ModelConfig::*every;
  int32_t ModelConfig::*width;  // half of it to each side, inclusive
};

// The linear layers of a block, in the order in which the block runs them.
enum class BlockLinear : size_t { kQkv, kAttentionOutput, kIntermediate, kOutput };
constexpr size_t kBlockLinears = 4;
constexpr BlockLinear kAllBlockLinears[kBlockLinears] = {
    BlockLinear::kQkv, BlockLinear::kAttentionOutput, BlockLinear::kIntermediate,
    BlockLinear::kOutput};
const char* block_linear_name(BlockLinear linear);  // "qkv", "attention_output", ...

// A module that is a linear layer of a block or a part of one. Its rows [out,in] begin at row
// first_output of the layer's.
struct BlockLinearModule {
  std::string_view name;  // below the block's module
  BlockLinear linear;
  int64_t out, in, first_output;
  bool has_bias;
  Spread spread;
};

struct LayersSpec {
  std::string_view module;  // block i is module.i, or module.i.inside
  std::string_view inside;
  // The number of blocks with their own weights. If it is below the number of layers, consecutive
  // layers share a block.
  int32_t ModelConfig::*blocks = &ModelConfig::num_hidden_layers;
  std::string_view final_norm;  // of NormPlace::kBeforeBranches
};

// From the blocks' output to logits.
struct HeadSpec {
  std::string_view output;  // a linear layer, H -> 2
  Spread spread = Spread::kRange;
  // A head of several parts has these before that layer: a linear layer H -> H, an activation, a
  // norm.
  struct Transform {
    std::string_view dense;
    bool ModelConfig::*bias;
    Spread spread;
    std::string ModelConfig::*activation;
    std::string_view norm;
  };
  std::optional<Transform> transform = std::nullopt;

  std::vector<std::string_view> modules() const;  // in the order of HF's class
};

// A preset of `model new --like`.
struct ModelSize {
  PresetSize preset;
  int32_t layers, hidden, heads, inner;
};

// Where dropout is applied. The numbers are part of the masks' keys.
enum class DropoutSite : uint64_t {
  kEmbeddings = 1,   // after the embeddings' norm (layer 0)
  kAttention,        // on attention's probabilities
  kAttentionOutput,  // before the sum of attention's output and its input
  kOutput,           // before the sum of a block's second half
  kHead,             // before the head (layer 0)
  kAdapter,          // on the inputs of LoRA adapters
  kInner,            // before a block's output layer
  kDistances,        // on the table of distances, anew in every layer
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
  std::string_view
      base_prefix;  // of the base model's keys; checkpoints of the base model have no prefix
  std::vector<ConfigKey> config_keys;  // all that change computation, except model_type
  ModelConfig defaults;                // values of missing keys
  std::optional<ModelConfig> usual;    // the model for a new configuration; nullopt: the defaults
  EmbeddingsSpec embeddings;
  LayersSpec layers;
  BlockSpec block;
  RelativeSpec relative;
  std::vector<DropoutRow> dropout;  // sites that are not listed have no dropout
  HeadSpec head;
  bool ModelConfig::*norm_bias = nullptr;  // norms have a bias if this is true; null: always
  std::optional<RotarySpec> rotary = std::nullopt;
  std::optional<LocalAttentionSpec> local_attention = std::nullopt;
  double ModelConfig::*initial_cutoff = nullptr;  // of Spread
  std::vector<ModelSize> sizes = {};              // if they are not BERT's

  std::vector<EmbeddingSpec> tables(const ModelConfig& config) const;  // those that exist
  int32_t width(const ModelConfig& config) const;                      // E
  bool has_projection(const ModelConfig& config) const;
  bool has_position_table(const ModelConfig& config) const;
  RelativeForm relative_form(const ModelConfig& config) const;
  // Scores are divided by sqrt(head size * this).
  int32_t score_terms(const ModelConfig& config) const;
  // The padding row of the words' table; positions begin after it. Below 0: there is none.
  int32_t padding_row(const ModelConfig& config) const;
  // The block whose weights a layer uses.
  size_t block_of(int32_t layer, const ModelConfig& config) const;
  // Below base_prefix.
  std::string block_module(size_t index) const;
  // The norms after the sums of a block's halves, below base_prefix. If norms come before the
  // branches, the second is the next block's attention norm, or the final norm.
  std::string norm_behind_attention(size_t block) const;
  std::string norm_behind_output(size_t block, const ModelConfig& config) const;
  // Below the block's module; "" if a block has no module of that role.
  std::string_view block_name(BlockRole role) const;
  std::string_view distance_module(DistanceTerm term, const ModelConfig& config) const;
  // The modules that exist, in the order of BlockSpec::modules.
  std::vector<BlockModule> block_modules(const ModelConfig& config) const;
  // In the order in which a block runs them.
  std::vector<BlockLinearModule> block_linear_modules(const ModelConfig& config) const;
  // How many tokens a layer sees to each side; -1: the whole window.
  int32_t reach(int32_t layer, const ModelConfig& config) const;
  double theta(int32_t layer, const ModelConfig& config) const;  // REQUIRES: rotary
};

// Error{code, place} naming the types that are supported.
const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                const ErrorPlace& place);
inline const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                       std::string_view file) {
  return encoder_spec(model_type, code, ErrorPlace{.file = std::string(file)});
}
// Of all families, in the order of their names.
std::vector<std::string> supported_model_types();

}  // namespace spanforge
