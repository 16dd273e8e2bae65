#include "spanforge/model/input_ids.h"

#include <algorithm>
#include <string>

#include "spanforge/model/relative.h"

namespace spanforge {
namespace {

void check(std::span<const int32_t> ids, int32_t rows, const char* place,
           const std::string& meaning) {
  for (const int32_t id : ids) {
    if (id >= 0 && id < rows) continue;
    throw Error(ErrorCode::kBadModel, {.where = place},
                std::to_string(id) + " is not below " + std::to_string(rows) + ", " + meaning);
  }
}

// transformers' create_position_ids_from_input_ids (modeling_roberta.py).
std::vector<int32_t> positions_behind_padding(const PackedBatch& batch, int32_t pad) {
  std::vector<int32_t> positions;
  positions.reserve(batch.input_ids.size());
  for (int32_t w = 0; w < batch.window_count(); ++w) {
    int32_t last = pad;
    for (int32_t t = batch.cu_seqlens[w]; t < batch.cu_seqlens[w + 1]; ++t) {
      positions.push_back(batch.input_ids[t] == pad ? pad : ++last);
    }
  }
  return positions;
}

}  // namespace

InputIds::InputIds(const EncoderSpec& spec, const ModelConfig& config, const PackedBatch& batch)
    : tokens_(batch.input_ids), positions_(batch.position_ids), token_types_(batch.token_type_ids) {
  check(tokens_, config.vocab_size, "token id",
        "the model's vocab_size: model and tokenizer do not belong together");
  check(positions_, config.longest_input(), "position",
        "the tokens of the model's longest input: use shorter windows");
  if (spec.embeddings.positions == PositionRule::kBehindPadding) {
    made_positions_ = positions_behind_padding(batch, spec.padding_row(config));
    positions_ = made_positions_;
  }
  int32_t longest = 0;
  for (int32_t w = 0; w < batch.window_count(); ++w) {
    longest = std::max(longest, batch.cu_seqlens[w + 1] - batch.cu_seqlens[w]);
  }
  distance_rows_ = rows_by_distance(spec.relative_form(config), longest);
  bool needs_zeros = false;
  for (const EmbeddingSpec& table : spec.tables(config)) {
    if (table.ids == EmbeddingIds::kZeros) needs_zeros = true;
    if (table.ids != EmbeddingIds::kTokenTypes) continue;
    if (config.*table.rows == 1) {
      needs_zeros = true;
      token_types_ = {};
    } else {
      check(token_types_, config.*table.rows, "token type id",
            "the model's type_vocab_size: model and tokenizer do not belong together");
    }
  }
  if (!needs_zeros) return;
  zeros_.resize(tokens_.size());
  if (token_types_.empty()) token_types_ = zeros_;
}

std::span<const int32_t> InputIds::of(EmbeddingIds ids) const {
  switch (ids) {
    case EmbeddingIds::kTokens: return tokens_;
    case EmbeddingIds::kPositions: return positions_;
    case EmbeddingIds::kTokenTypes: return token_types_;
    case EmbeddingIds::kZeros: return zeros_;
  }
  throw Error(ErrorCode::kInternal, {.where = "embeddings"}, "unknown kind of ids");
}

}  // namespace spanforge
