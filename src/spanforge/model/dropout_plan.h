#pragma once
// Which dropout mask belongs where: a key per (seed, step, layer, site), a row key per (window,
// position). So masks do not depend on packing, batch order or threads. All windows share the rows
// of the table of distances, so each row has one mask per step.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/encoder_spec.h"
#include "spanforge/ops/dropout.h"

namespace spanforge {

// A default-constructed plan has no dropout anywhere.
class DropoutPlan {
 public:
  DropoutPlan() = default;
  // adapters: the probability at their site. key: of (seed, step). row_keys: [T], of the batch's
  // tokens; they must outlive this.
  DropoutPlan(const EncoderSpec& spec, const ModelConfig& config, double adapters, uint64_t key,
              std::span<const uint64_t> row_keys);

  ops::Dropout at(int32_t layer, DropoutSite site) const;
  // adapter: AdapterPart::site.
  ops::Dropout at_adapter(int32_t layer, DropoutSite site, uint32_t adapter) const;

 private:
  std::array<float, kDropoutSites> probabilities_{};
  uint64_t key_ = 0;
  std::span<const uint64_t> row_keys_;
  std::vector<uint64_t> distance_keys_;  // of the rows of the table of distances
};

// The row keys of a batch's tokens, [T].
std::vector<uint64_t> dropout_row_keys(const PackedBatch& batch);

}  // namespace spanforge
