#pragma once
// What: splits a dataset into training and validation parts that share no context, so that
//   validation measures answering, not remembering.

#include <cstdint>

#include "spanforge/data/dataset.h"

namespace spanforge {

struct SplitOptions {
  double validation_share = 0.1;  // of the questions, in (0, 1)
  uint64_t seed = 42;
};

struct SplitResult {
  Dataset train;
  Dataset validation;
};

// Contexts that are equal after normalize_for_overlap() stay together. They are sorted by a hash of
// their text and the seed. Validation takes them from the front until its share of questions is as
// near as possible to the wish. So the result depends on the seed and the questions, not on their
// order. Both parts keep the order of the file, and neither is empty.
// Errors: Error{kUsage} for a share outside (0, 1); Error{kBadData} if there is only one context.
SplitResult split_by_context(const Dataset& dataset, const SplitOptions& options);

}  // namespace spanforge
