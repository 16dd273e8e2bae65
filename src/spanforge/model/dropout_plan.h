#pragma once
// Which dropout mask belongs where: a key per (seed, step, layer, site), a row key per (window,
// position). Masks therefore do not change with packing, batch order or threads.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/ops/dropout.h"

namespace spanforge {

enum class DropoutSite : uint64_t {
  kEmbeddings = 1,   // embeddings.dropout (layer 0)
  kAttention,        // attention.self.dropout, on probabilities
  kAttentionOutput,  // attention.output.dropout
  kOutput,           // output.dropout
};

struct DropoutPlan {
  float hidden = 0.0f;
  float attention = 0.0f;
  uint64_t key = 0;                    // of (seed, step)
  std::span<const uint64_t> row_keys;  // [T]

  ops::Dropout at(int32_t layer, DropoutSite site) const;
};

// Row keys of a batch's tokens, [T].
std::vector<uint64_t> dropout_row_keys(const PackedBatch& batch);

}  // namespace spanforge
