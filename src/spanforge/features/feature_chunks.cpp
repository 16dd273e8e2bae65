#include "spanforge/features/feature_chunks.h"

#include <utility>

#include "spanforge/data/dataset.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

FeatureChunks::FeatureChunks(const Dataset& dataset, const Tokenizer& tokenizer,
                             FeatureOptions options, int64_t chunk_tokens)
    : options_(std::move(options)), chunk_tokens_(chunk_tokens) {
  FeatureStream stream(dataset, tokenizer, options_);
  options_.progress = nullptr;
  while (std::optional<FeatureSet> chunk = stream.next(chunk_tokens_)) {
    const bool is_only = chunk->example_count() == dataset.examples.size();
    counts_ += chunk->label_counts();
    window_count_ += static_cast<int64_t>(chunk->size());
    for (size_t i = 0; i < chunk->example_count(); ++i) {
      const auto [first, last] = chunk->windows_of(chunk->first_example() + i);
      has_windows_.push_back(first != last);
    }
    if (is_only) only_ = std::move(chunk);
  }
}

void FeatureChunks::for_each(const Dataset& dataset, const Tokenizer& tokenizer,
                             const std::function<void(const FeatureSet&)>& visit) const {
  if (only_) return visit(*only_);
  FeatureStream stream(dataset, tokenizer, options_);
  while (const std::optional<FeatureSet> chunk = stream.next(chunk_tokens_)) visit(*chunk);
}

}  // namespace spanforge
