#include "spanforge/model/batch_ids.h"

#include <string>

namespace spanforge {

std::span<const int32_t> ids_of(const PackedBatch& batch, EmbeddingIds ids) {
  switch (ids) {
    case EmbeddingIds::kTokens:
      return batch.input_ids;
    case EmbeddingIds::kPositions:
      return batch.position_ids;
    case EmbeddingIds::kTokenTypes:
      return batch.token_type_ids;
  }
  throw Error(ErrorCode::kInternal, "embeddings", "unknown kind of ids");
}

void check_ids(const ModelConfig& config, const PackedBatch& batch) {
  const auto check = [](const std::vector<int32_t>& ids, int32_t rows, const char* place,
                        const std::string& meaning) {
    for (const int32_t id : ids) {
      if (id >= 0 && id < rows) continue;
      throw Error(ErrorCode::kBadModel, place,
                  std::to_string(id) + " is not below " + std::to_string(rows) + ", " + meaning);
    }
  };
  check(batch.input_ids, config.vocab_size, "token id",
        "the model's vocab_size: model and tokenizer do not belong together");
  check(batch.position_ids, config.max_position_embeddings, "position",
        "the model's max_position_embeddings: use shorter windows");
  check(batch.token_type_ids, config.type_vocab_size, "token type id",
        "the model's type_vocab_size: model and tokenizer do not belong together");
}

}  // namespace spanforge
