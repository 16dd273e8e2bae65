#include "spanforge/model/dropout_plan.h"

#include "spanforge/base/random.h"

namespace spanforge {

ops::Dropout DropoutPlan::at(int32_t layer, DropoutSite site) const {
  const float p = site == DropoutSite::kAttention ? attention : hidden;
  const uint64_t site_key =
      combine(combine(key, static_cast<uint64_t>(layer)), static_cast<uint64_t>(site));
  return {.p = p, .key = site_key, .row_keys = row_keys};
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
