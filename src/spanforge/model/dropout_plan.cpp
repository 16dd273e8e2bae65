#include "spanforge/model/dropout_plan.h"

#include <numeric>

#include "spanforge/base/random.h"

namespace spanforge {

DropoutPlan::DropoutPlan(const EncoderSpec& spec, const ModelConfig& config, double adapters,
                         uint64_t key, std::span<const uint64_t> row_keys)
    : key_(key), row_keys_(row_keys) {
  for (const DropoutSite site : {DropoutSite::kAdapter, DropoutSite::kDistanceAdapter}) {
    probabilities_.at(static_cast<size_t>(site) - 1) = static_cast<float>(adapters);
  }
  distance_keys_.resize(static_cast<size_t>(spec.relative_form(config).rows));
  std::iota(distance_keys_.begin(), distance_keys_.end(), uint64_t{0});
  for (const DropoutRow& row : spec.dropout) {
    probabilities_.at(static_cast<size_t>(row.site) - 1) =
        static_cast<float>(config.*row.probability);
  }
}

ops::Dropout DropoutPlan::at(int32_t layer, DropoutSite site) const {
  const uint64_t site_key =
      combine(combine(key_, static_cast<uint64_t>(layer)), static_cast<uint64_t>(site));
  const bool is_distances =
      site == DropoutSite::kDistances || site == DropoutSite::kDistanceAdapter;
  return {.p = probabilities_.at(static_cast<size_t>(site) - 1),
          .key = site_key,
          .row_keys = is_distances ? std::span<const uint64_t>(distance_keys_) : row_keys_};
}

ops::Dropout DropoutPlan::at_adapter(int32_t layer, DropoutSite site, uint32_t adapter) const {
  ops::Dropout dropout = at(layer, site);
  dropout.key = combine(dropout.key, adapter);
  return dropout;
}

std::vector<uint64_t> dropout_row_keys(const PackedBatch& batch) {
  std::vector<uint64_t> keys(batch.input_ids.size());
  for (int32_t w = 0; w < batch.window_count(); ++w) {
    const auto window = static_cast<uint64_t>(batch.window_ids[w]);
    for (int32_t t = batch.cu_seqlens[w]; t < batch.cu_seqlens[w + 1]; ++t) {
      keys[t] = combine(window, static_cast<uint64_t>(batch.position_ids[t]));
    }
  }
  return keys;
}

}  // namespace spanforge
