#pragma once
// What: iterates over all windows of a dataset, repeatedly, in bounded memory. If they take more
//   than one chunk, each pass makes them again. That is cheap: a model takes about a hundred times
//   longer to make logits of windows.
// Units: tokens of a chunk. Threads: const methods are concurrent.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

class FeatureChunks {
 public:
  // Makes all windows once, so that errors in the data are reported before any window is used.
  // Errors: FeatureSet::build()'s. options.progress reports this pass only.
  FeatureChunks(const Dataset& dataset, const Tokenizer& tokenizer, FeatureOptions options,
                int64_t chunk_tokens = FeatureStream::kChunkTokens);

  // Calls visit(chunk) for each chunk, in order. REQUIRES: the constructor's dataset and tokenizer,
  // which may have moved in memory.
  void for_each(const Dataset& dataset, const Tokenizer& tokenizer,
                const std::function<void(const FeatureSet&)>& visit) const;
  // The only chunk; null: there are several.
  const FeatureSet* only() const { return only_ ? &*only_ : nullptr; }

  const LabelCounts& label_counts() const { return counts_; }
  int64_t window_count() const { return window_count_; }
  size_t example_count() const { return has_windows_.size(); }
  bool has_windows(size_t example) const { return has_windows_[example]; }  // false: dropped
  const FeatureOptions& options() const { return options_; }

 private:
  FeatureOptions options_;
  int64_t chunk_tokens_;
  LabelCounts counts_;
  int64_t window_count_ = 0;
  std::vector<bool> has_windows_;
  std::optional<FeatureSet> only_;
};

}  // namespace spanforge
