#pragma once
// A batch's ids as a model's embedding tables see them.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

class InputIds {
 public:
  // The batch outlives this. A tokenizer of another model, or windows longer than the model takes,
  // end here: Error{kBadModel}.
  InputIds(const EncoderSpec& spec, const ModelConfig& config, const PackedBatch& batch);

  std::span<const int32_t> of(EmbeddingIds ids) const;  // [T], each below the table's rows
  // As ops/attention.h's RelativeTerms::rows; empty where scores have no terms by distance.
  std::span<const int32_t> distance_rows() const { return distance_rows_; }

 private:
  std::span<const int32_t> tokens_, positions_, token_types_;
  std::vector<int32_t> zeros_, made_positions_;  // where the batch's own do not serve
  std::vector<int32_t> distance_rows_;
};

}  // namespace spanforge
