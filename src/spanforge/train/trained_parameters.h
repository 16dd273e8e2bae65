#pragma once
// The parameters that an optimiser updates and keeps state of, in the order of the arenas.

#include <cstdint>
#include <functional>
#include <vector>

#include "spanforge/model/trainable_model.h"

namespace spanforge {

struct TrainedParameter {
  const Parameter* row;
  bool joins;  // in the arenas nothing but a gap lies between it and the one before
};
using TrainedParameters = std::vector<TrainedParameter>;

// All of `rows` that is_trained() takes. `rows` outlive the result.
TrainedParameters trained_parameters(const std::vector<Parameter>& rows,
                                     const std::function<bool(const Parameter&)>& is_trained);
// Those that learn.
TrainedParameters trained_parameters(const std::vector<Parameter>& rows);

// A range of the arenas in which everything is trained alike, so that one pass can update it. Gaps
// between its parameters belong to it: zeros stay zeros under any update.
struct FlatRange {
  const Parameter* first;
  int64_t begin, end;  // elements of the arena
  bool decays;
};
// The ranges that cover all but the embeddings, as few as there can be.
std::vector<FlatRange> flat_ranges(const TrainedParameters& parameters);

}  // namespace spanforge
