#pragma once
// Initial values as transformers' classes give them: N(0, spread) for matrices and embeddings
// ([PAD]'s row zero), with a cutoff in families that have one; zeros for biases, ones for
// LayerNorm's gammas. Every row of every parameter has its own random stream, keyed by (seed, name,
// row): the same seed gives the same bytes on any number of threads.

#include <cstdint>

#include "spanforge/model/model.h"

namespace spanforge {

// weights: the parameter's view of the arena, [rows, cols] f32.
void initialize_parameter(const Parameter& parameter, double spread, uint64_t seed,
                          const Tensor& weights);

}  // namespace spanforge
