#include "spanforge/features/packed_batch.h"

#include <algorithm>

namespace spanforge {

int32_t PackedBatch::longest() const {
  int32_t longest = 0;
  for (size_t w = 0; w + 1 < cu_seqlens.size(); ++w) {
    longest = std::max(longest, cu_seqlens[w + 1] - cu_seqlens[w]);
  }
  return longest;
}

void PackedBatch::clear() {
  input_ids.clear();
  token_type_ids.clear();
  position_ids.clear();
  cu_seqlens.assign(1, 0);
  window_ids.clear();
  start_positions.clear();
  end_positions.clear();
}

void append_window(const FeatureSet& features, int32_t id, PackedBatch& out) {
  const Window& window = features.windows()[static_cast<size_t>(id)];
  const auto ids = features.input_ids(window);
  const auto types = features.token_type_ids(window);
  out.input_ids.insert(out.input_ids.end(), ids.begin(), ids.end());
  out.token_type_ids.insert(out.token_type_ids.end(), types.begin(), types.end());
  for (int32_t t = 0; t < window.length; ++t) out.position_ids.push_back(t);
  out.cu_seqlens.push_back(out.token_count());
  out.window_ids.push_back(id);
  out.start_positions.push_back(window.start_position);
  out.end_positions.push_back(window.end_position);
}

void pack_windows(const FeatureSet& features, std::span<const int32_t> windows, PackedBatch& out) {
  out.clear();
  for (const int32_t id : windows) append_window(features, id, out);
}

}  // namespace spanforge
