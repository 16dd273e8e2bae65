#pragma once
// A batch's ids as a model's embedding tables see them.

#include <cstdint>
#include <span>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/encoder_spec.h"

namespace spanforge {

std::span<const int32_t> ids_of(const PackedBatch& batch, EmbeddingIds ids);

// A tokenizer of another model, or windows longer than the model's positions, end here:
// Error{kBadModel}.
void check_ids(const ModelConfig& config, const PackedBatch& batch);

}  // namespace spanforge
