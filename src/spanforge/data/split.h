#pragma once
// What: a dataset cut into training and validation parts that share no context, so that validation
//   measures answering and not remembering.

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

// Contexts that are equal after normalize_for_overlap stay together. They are ordered by a hash of
// their text under the seed, and validation takes them from the first on until it is as near to the
// asked share of questions as it gets; so the result depends on the seed and on which questions
// there are, not on their order. Both parts keep the order of the file, and neither is empty.
// Errors: Error{kUsage} for a share outside (0, 1); Error{kBadData} where there is one context
// only.
SplitResult split_by_context(const Dataset& dataset, const SplitOptions& options);

}  // namespace spanforge
