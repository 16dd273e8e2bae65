#pragma once
// Terms of attention's scores by distance: from a table that all layers share to what attention
// adds to its scores, and back. Letters: R rows of the table, A heads, H hidden. Several layers add
// to one gradient: the pass sums them up in memory of its own and hands the sum to the table's
// gradient once, behind the first layer.

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

// The table's row for each distance of two tokens in windows of up to `longest` tokens: as
// ops::RelativeTerms::rows. Empty where the family has no such terms.
std::vector<int32_t> rows_by_distance(const RelativeForm& form, int32_t longest);

// What a pass makes of the table for all layers.
struct RelativeActivations {
  Tensor biases;             // [A,R] f32
  ops::LayerNormSaved norm;  // [R,H] f32
  Tensor rows;               // [R,H] to be projected
};
// The sums of the layers' gradients of it, f32.
struct RelativeGradients {
  Tensor biases;  // [A,R]
  Tensor rows;    // [R,H]

  bool any() const { return !biases.empty() || !rows.empty(); }
};

// dtype: of the layers' activations. projects: false where the rows are projected already.
RelativeActivations allocate_relative(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype, bool projects);
void relative_forward(ActivationArena& scratch, const EncoderShape& shape,
                      const RelativePart<Tensor>& w, const RelativeActivations& a);

RelativeGradients zero_relative_gradients(ActivationArena& arena, const EncoderShape& shape);
// g += what the layers added up, or = where add_to_matrices is false (the norm's: always +=). d's
// rows are overwritten.
void relative_backward(const RelativePart<Tensor>& w, const RelativeActivations& a,
                       const RelativeGradients& d, bool add_to_matrices,
                       const RelativePart<Tensor>& g);

// What a layer makes of the rows: [R,H] by DistanceTerm, empty where there is no such term.
using ProjectedDistances = std::array<Tensor, kDistanceTerms>;

ProjectedDistances allocate_distances(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype);

// The rows, dropped out anew, through the layer's projections, or its own query and key; adapters
// as well. Returns out.
ProjectedDistances distances_forward(const BlockContext& context, const BlockPart<Tensor>& w,
                                     const ProjectedDistances& out);
// Packed layers answer only: what they are projected to is known.
inline ProjectedDistances distances_forward(const BlockContext&,
                                            const BlockPart<Tensor, ops::PackedLinear>& w,
                                            const ProjectedDistances&) {
  return w.projected_distances;
}

// f32, for attention to add to; empty where neither the rows nor what projects them learn.
ProjectedDistances zero_distance_gradients(const BlockContext& context, const BlockPart<Tensor>& w,
                                           const BlockPart<Tensor>& g);
// To be called behind the backward of query and key: what they are given here is added.
void distances_backward(const BlockContext& context, const BlockPart<Tensor>& w,
                        const ProjectedDistances& d, const BlockPart<Tensor>& g);

}  // namespace spanforge
