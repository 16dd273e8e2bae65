#pragma once
// Families of encoders as data. A family is one EncoderSpec value: which embedding tables are
// summed, what HF calls its modules, how its checkpoints may spell names. One builder
// (parameter_table.h) visits it; nothing else asks which family a model is.

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/model/config.h"

namespace spanforge {

// Which ids of a batch an embedding table is indexed by.
enum class EmbeddingIds { kTokens, kPositions, kTokenTypes };

struct EmbeddingSpec {
  std::string_view module;     // below the base model, e.g. "embeddings.word_embeddings"
  int32_t ModelConfig::*rows;  // the config value that says how many
  EmbeddingIds ids;
  bool has_padding_row = false;  // row pad_token_id starts as zeros and gets no gradient
};

// Module names of one post-norm block, below its layer.
struct BlockSpec {
  std::string_view query, key, value;
  std::string_view attention_output, attention_norm;
  std::string_view intermediate;
  std::string_view output, output_norm;
};

struct EncoderSpec {
  std::string_view model_type;    // config.json's
  std::string_view architecture;  // config.json's architectures, with a question-answering head
  std::string_view base_prefix;   // of the base model's keys; checkpoints of the base model lack it
  std::vector<EmbeddingSpec> embeddings;
  std::string_view embedding_norm;
  std::string_view layers;  // block i is layers + "." + i
  BlockSpec block;
  std::string_view head;
};

// Error{code, place} naming the types that are supported.
const EncoderSpec& encoder_spec(std::string_view model_type, ErrorCode code,
                                std::string_view place);

}  // namespace spanforge
