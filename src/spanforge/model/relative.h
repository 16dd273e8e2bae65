#pragma once
// Terms of attention's scores by distance: forward, from the table that all layers share to what
// attention adds to its scores, and backward. Letters: R rows of the table, A heads, H hidden. The
// backward pass sums up the layers' gradients in its own memory, and adds the sum to the table's
// gradient once, after the first layer.

#include <array>
#include <cstdint>
#include <vector>

#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/ops/layer_norm.h"
#include "spanforge/ops/packed_linear.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

struct BlockContext;  // block.h
struct EncoderShape;

// The table's row for each distance of two tokens in windows of up to `longest` tokens, for
// ops::RelativeTerms::rows. Empty if the family has no such terms.
std::vector<int32_t> rows_by_distance(const RelativeForm& form, int32_t longest);

// What a pass computes from the table for all layers.
struct RelativeActivations {
  Tensor biases;             // [A,R] f32
  ops::LayerNormSaved norm;  // [R,H] f32
  Tensor rows;               // [R,H], the input of the projections
};
// The sums of the layers' gradients, f32.
struct RelativeGradients {
  Tensor biases;  // [A,R]
  Tensor rows;    // [R,H]

  bool any() const { return !biases.empty() || !rows.empty(); }
};

// dtype: of the layers' activations. projects: false if the rows are already projected.
RelativeActivations allocate_relative(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype, bool projects);
void relative_forward(ActivationArena& scratch, const EncoderShape& shape,
                      const RelativePart<Tensor>& w, const RelativeActivations& a);

RelativeGradients zero_relative_gradients(ActivationArena& arena, const EncoderShape& shape);
// Adds the layers' sums to g, or overwrites g if add_to_matrices is false (the norm's part is
// always added to). Overwrites d's rows.
void relative_backward(const RelativePart<Tensor>& w, const RelativeActivations& a,
                       const RelativeGradients& d, bool add_to_matrices,
                       const RelativePart<Tensor>& g);

// A layer's projections of the rows: [R,H] by DistanceTerm, empty if there is no such term.
using ProjectedDistances = std::array<Tensor, kDistanceTerms>;

ProjectedDistances allocate_distances(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype);

// Drops out the rows anew and applies the layer's projections, or its own query and key, with
// their adapters. Returns out.
ProjectedDistances distances_forward(const BlockContext& context, const BlockPart<Tensor>& w,
                                     const ProjectedDistances& out);
// Packed layers only answer: their projections are computed at loading.
inline ProjectedDistances distances_forward(const BlockContext&,
                                            const BlockPart<Tensor, ops::PackedLinear>& w,
                                            const ProjectedDistances&) {
  return w.projected_distances;
}

// f32; attention adds to them. Empty if neither the rows nor their projections learn.
ProjectedDistances zero_distance_gradients(const BlockContext& context, const BlockPart<Tensor>& w,
                                           const BlockPart<Tensor>& g);
// Call this after the backward of query and key, because it adds to their gradients.
void distances_backward(const BlockContext& context, const BlockPart<Tensor>& w,
                        const ProjectedDistances& d, const BlockPart<Tensor>& g);

}  // namespace spanforge
