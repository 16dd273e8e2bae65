#pragma once
// Terms of attention's scores by distance: from a table that all layers share to what attention
// adds to its scores, and back. Letters: R rows of the table, A heads. Several layers add to one
// gradient: the pass sums them up in memory of its own and hands the sum to the table's gradient
// once, behind the first layer.

#include <cstdint>
#include <vector>

#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/ops/attention.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// The table's row for each distance of two tokens in windows of up to `longest` tokens: as
// ops::RelativeTerms::rows. Empty where the family has no such terms.
std::vector<int32_t> rows_by_distance(const EncoderSpec& spec, int32_t longest);

// What a pass makes of the table for all layers.
struct RelativeActivations {
  Tensor biases;  // [A,R] f32
};

RelativeActivations allocate_relative(ActivationArena& arena, const RelativePart<Tensor>& w);
void relative_forward(const RelativePart<Tensor>& w, const RelativeActivations& a);

// For the layers to add to.
ops::RelativeGradients zero_relative_gradients(ActivationArena& arena,
                                               const RelativeActivations& a);
// g += what the layers added up, or = where add_to_matrices is false.
void relative_backward(const ops::RelativeGradients& d, bool add_to_matrices,
                       const RelativePart<Tensor>& g);

}  // namespace spanforge
