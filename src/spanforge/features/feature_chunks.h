#pragma once
// What: a dataset's windows for who goes over all of them, several times, in bounded memory: where
//   they fill more than a chunk, each pass makes them anew. That costs little beside a model: texts
//   become windows some hundred times faster than windows become logits.
// Units: tokens of a chunk. Threads: const methods are concurrent.

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

class FeatureChunks {
 public:
  // Makes all windows once, so that what is wrong with the data is told before any of them is used.
  // Errors: FeatureSet::build's. options.progress tells of this pass alone.
  FeatureChunks(const Dataset& dataset, const Tokenizer& tokenizer, FeatureOptions options,
                int64_t chunk_tokens = FeatureStream::kChunkTokens);

  // Calls visit(chunk) for each chunk, in order. REQUIRES the constructor's dataset and tokenizer,
  // wherever they stand now.
  void for_each(const Dataset& dataset, const Tokenizer& tokenizer,
                const std::function<void(const FeatureSet&)>& visit) const;
  // The chunk that holds everything, if there is one.
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
