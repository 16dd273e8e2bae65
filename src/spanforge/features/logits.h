#pragma once
// Start and end logits of every window of a FeatureSet, flat, in the FeatureSet's token layout:
// start[w.first_token + t] belongs to token t of window w. There is no padding between windows.

#include <span>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

struct LogitSet {
  std::vector<float> start;  // [tokens of the FeatureSet]
  std::vector<float> end;
  std::span<const float> start_of(const Window& w) const {
    return {start.data() + w.first_token, static_cast<size_t>(w.length)};
  }
  std::span<const float> end_of(const Window& w) const {
    return {end.data() + w.first_token, static_cast<size_t>(w.length)};
  }
};

}  // namespace spanforge
