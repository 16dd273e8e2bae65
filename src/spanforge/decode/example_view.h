#pragma once
// What a decoder needs of one example: its windows' logits and offsets, and the context's text.
// These are views: FeatureSet, LogitSet and context must outlive them.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/utf8.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/features/logits.h"

namespace spanforge {

struct WindowView {
  std::span<const float> start, end;  // logits of every token of the window
  std::span<const CharSpan> offsets;  // code points of the question or of the context
  std::span<const int32_t> word_ids;  // -1 for special tokens
  std::span<const int32_t> input_ids;
  TokenSpan context;   // tokens of the window that are context
  int32_t window = 0;  // index into the FeatureSet
  int32_t length() const { return static_cast<int32_t>(start.size()); }
};

struct ExampleView {
  explicit ExampleView(std::string_view context_text)
      : context(context_text), index(context_text) {}
  std::string slice(CharSpan span) const {  // Python's context[start:end]
    return slice_code_points(context, index, span.start, span.end);
  }

  std::string_view context;
  CodePointIndex index;
  std::vector<WindowView> windows;  // in the order of the text
  int32_t window_overlap = 0;       // context tokens that consecutive windows share
};

// Errors: Error{kNonFinite} naming the example's id if a logit is NaN or infinite.
ExampleView view_example(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
                         size_t example);

}  // namespace spanforge
