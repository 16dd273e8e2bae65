#pragma once
// The ids of a batch, as a model's embedding tables take them.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

class InputIds {
 public:
  // The batch must outlive this. Throws Error{kBadModel} if the tokenizer belongs to another model
  // or a window is longer than the model takes.
  InputIds(const EncoderSpec& spec, const ModelConfig& config, const PackedBatch& batch);

  std::span<const int32_t> of(EmbeddingIds ids) const;  // [T], each below the table's rows
  // See RelativeTerms::rows in ops/attention.h; empty if scores have no terms by distance.
  std::span<const int32_t> distance_rows() const { return distance_rows_; }

 private:
  std::span<const int32_t> tokens_, positions_, token_types_;
  std::vector<int32_t> zeros_, made_positions_;  // used if the batch has no such ids
  std::vector<int32_t> distance_rows_;
};

}  // namespace spanforge
