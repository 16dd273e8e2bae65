#pragma once
// What: the encoder's input, the tokens of several windows end to end without padding.
// Letters, also in higher layers: T tokens in the batch, W windows.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

struct PackedBatch {
  std::vector<int32_t> input_ids;        // [T]
  std::vector<int32_t> token_type_ids;   // [T]
  std::vector<int32_t> position_ids;     // [T], restarts at 0 in every window
  std::vector<int32_t> cu_seqlens;       // [W+1], first token of each window, then T
  std::vector<int32_t> window_ids;       // [W], index into FeatureSet::windows()
  std::vector<int32_t> start_positions;  // [W], labels inside the window
  std::vector<int32_t> end_positions;    // [W]
  int32_t token_count() const { return static_cast<int32_t>(input_ids.size()); }
  int32_t window_count() const { return static_cast<int32_t>(window_ids.size()); }
  int32_t longest() const;  // tokens of the longest window
  void clear();             // to a batch without windows, for append_window()
};

// Appends one window. Windows of several feature sets may stand in one batch: window_ids then says
// a window's place in its own set.
void append_window(const FeatureSet& features, int32_t window, PackedBatch& out);

// Packs the given windows, in the given order. `out` is reused.
void pack_windows(const FeatureSet& features, std::span<const int32_t> windows, PackedBatch& out);

}  // namespace spanforge
