#pragma once
// The parameters that an optimiser updates and has state for, in the order of the arenas.

#include <cstdint>
#include <functional>
#include <vector>

#include "spanforge/model/trainable_model.h"

namespace spanforge {

struct TrainedParameter {
  const Parameter* row;
  bool joins;  // only a gap separates it from the previous one in the arenas
};
using TrainedParameters = std::vector<TrainedParameter>;

// All of `rows` for which is_trained() is true. `rows` must outlive the result.
TrainedParameters trained_parameters(const std::vector<Parameter>& rows,
                                     const std::function<bool(const Parameter&)>& is_trained);
// All that learn.
TrainedParameters trained_parameters(const std::vector<Parameter>& rows);

// A range of the arenas that one pass can update, because all its parameters are trained alike. It
// includes the gaps between them: zeros stay zeros under any update.
struct FlatRange {
  const Parameter* first;
  int64_t begin, end;  // elements of the arena
  bool decays;
};
// As few ranges as possible that cover all parameters except embeddings.
std::vector<FlatRange> flat_ranges(const TrainedParameters& parameters);

}  // namespace spanforge
