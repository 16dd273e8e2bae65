#include "spanforge/model/relative.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "spanforge/model/adapter.h"
#include "spanforge/model/block.h"
#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/elementwise.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

const Tensor kNone;

// transformers' MPNetEncoder.relative_position_bucket, of query less key. Half of the rows are for
// keys after the query. In each half, the first rows are for one distance each, the others for ever
// wider ranges up to 128.
int32_t mpnet_row(int32_t distance) {
  constexpr int32_t kHalf = kDistanceBuckets / 2, kExact = kHalf / 2;
  constexpr double kFarthest = 128;
  const int32_t n = std::abs(distance);
  int32_t row = n;
  if (n >= kExact) {
    // In float, as torch computes it.
    const auto steps = static_cast<float>(std::log(kFarthest / kExact));
    const float far = std::log(static_cast<float>(n) / kExact) / steps * (kHalf - kExact);
    row = std::min(kExact + static_cast<int32_t>(far), kHalf - 1);
  }
  return distance < 0 ? kHalf + row : row;
}

// transformers' make_log_bucket_position, and the bucket's row: the nearest distances have a bucket
// each, the others share ever wider ones.
int32_t deberta_row(const RelativeForm& form, int32_t distance) {
  const int32_t n = std::abs(distance), middle = form.buckets / 2;
  int32_t bucket = n;
  if (form.buckets > 0 && n > middle) {
    const auto m = static_cast<float>(middle);
    const float steps =
        std::log(static_cast<float>(static_cast<double>(form.farthest - 1) / middle));
    const float far = std::ceil(std::log(static_cast<float>(n) / m) / steps * (m - 1));
    bucket = middle + static_cast<int32_t>(far);
  }
  return std::clamp((distance < 0 ? -bucket : bucket) + form.rows / 2, 0, form.rows - 1);
}

// One term of a layer: the layer that projects the rows, and its gradients.
struct TermLayer {
  Tensor weight, bias;  // [H,H], [1,H]
  std::vector<AdapterPart<Tensor>> adapters;
};

TermLayer term_layer(const BlockContext& context, const BlockPart<Tensor>& block, size_t term) {
  if (context.shape.relative.projects_itself) {
    const LinearPart<Tensor>& own = block.distances[term];
    return {own.weight, own.bias, block.distance_adapters[term]};
  }
  // Queries, keys and values are one layer.
  const int64_t hidden = context.shape.hidden;
  const int64_t first = term == static_cast<size_t>(DistanceTerm::kQueries) ? 0 : hidden;
  TermLayer layer;
  if (!block.qkv.weight.empty()) layer.weight = block.qkv.weight.row_range(first, hidden);
  if (!block.qkv.bias.empty()) layer.bias = block.qkv.bias.columns(first, hidden);
  for (AdapterPart<Tensor> adapter : block.adapters[static_cast<size_t>(BlockLinear::kQkv)]) {
    if (adapter.first_output != first) continue;
    adapter.first_output = 0;
    layer.adapters.push_back(adapter);
  }
  return layer;
}

AdapterContext adapter_context(const BlockContext& context) {
  return {.dropout = context.dropout,
          .layer = context.layer,
          .scale = context.adapter_scale,
          .scratch = context.scratch,
          .site = DropoutSite::kDistanceAdapter};
}

Tensor dropped_rows(const BlockContext& context) {
  const Tensor& rows = context.relative.rows;
  const ops::Dropout dropout = context.dropout.at(context.layer, DropoutSite::kDistances);
  if (!dropout.active()) return rows;
  const Tensor y = context.scratch.allocate(rows.dtype, rows.rows, rows.cols);
  ops::apply_dropout(rows, dropout, y);
  return y;
}

// The tensor itself, or a copy of another type.
Tensor as_type(ActivationArena& scratch, const Tensor& x, DType dtype) {
  if (x.dtype == dtype) return x;
  const Tensor y = scratch.allocate(dtype, x.rows, x.cols);
  ops::convert(x, y);
  return y;
}

}  // namespace

std::vector<int32_t> rows_by_distance(const RelativeForm& form, int32_t longest) {
  std::vector<int32_t> rows;
  if (form.kind == RelativeKind::kNone) return rows;
  for (int32_t distance = 1 - longest; distance < longest; ++distance) {
    rows.push_back(form.kind == RelativeKind::kBiases ? mpnet_row(distance)
                                                      : deberta_row(form, distance));
  }
  return rows;
}

RelativeActivations allocate_relative(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype, bool projects) {
  const RelativeForm& form = shape.relative;
  RelativeActivations a;
  if (form.kind == RelativeKind::kBiases) a.biases = arena.allocate<float>(shape.heads, form.rows);
  if (form.kind != RelativeKind::kProjected || !projects) return a;
  if (form.has_norm) a.norm = allocate_norm(arena, DType::kF32, form.rows, shape.hidden);
  a.rows = arena.allocate(dtype, form.rows, shape.hidden);
  return a;
}

void relative_forward(ActivationArena& scratch, const EncoderShape& shape,
                      const RelativePart<Tensor>& w, const RelativeActivations& a) {
  for (int64_t head = 0; head < a.biases.rows; ++head) {
    for (int64_t r = 0; r < a.biases.cols; ++r) {
      a.biases.row<float>(head)[r] = w.table.row<float>(r)[head];  // [A,R]
    }
  }
  if (a.rows.empty()) return;
  const size_t mark = scratch.mark();
  Tensor rows = w.table;
  if (shape.relative.has_norm) {
    rows = a.rows.dtype == DType::kF32 ? a.rows : scratch.allocate<float>(a.rows.rows, a.rows.cols);
    ops::bias_dropout_residual_layer_norm(w.table, kNone, {}, kNone, w.norm.gamma, w.norm.beta,
                                          shape.norm_eps, a.norm, rows);  // [R,H] encoder.LayerNorm
  }
  if (a.rows.dtype != DType::kF32) {
    ops::convert(rows, a.rows);
  } else if (rows.data != a.rows.data) {
    std::copy_n(rows.as<float>(), rows.size(), a.rows.as<float>());
  }
  scratch.release(mark);
}

RelativeGradients zero_relative_gradients(ActivationArena& arena, const EncoderShape& shape) {
  RelativeGradients d;
  const bool is_biases = shape.relative.kind == RelativeKind::kBiases;
  Tensor& sums = is_biases ? d.biases : d.rows;
  sums = is_biases ? arena.allocate<float>(shape.heads, shape.relative.rows)
                   : arena.allocate<float>(shape.relative.rows, shape.hidden);
  ops::fill_zero(sums);
  return d;
}

void relative_backward(const RelativePart<Tensor>& w, const RelativeActivations& a,
                       const RelativeGradients& d, bool add_to_matrices,
                       const RelativePart<Tensor>& g) {
  if (!a.norm.z.empty()) {
    ops::bias_dropout_residual_layer_norm_backward(d.rows, a.norm, {}, w.norm.gamma, d.rows, kNone,
                                                   g.norm.gamma, g.norm.beta,
                                                   kNone);  // [R,H] encoder.LayerNorm
  }
  for (int64_t r = 0; r < g.table.rows; ++r) {
    for (int64_t c = 0; c < g.table.cols; ++c) {
      float& sum = g.table.row<float>(r)[c];
      const float more = d.rows.empty() ? d.biases.row<float>(c)[r] : d.rows.row<float>(r)[c];
      sum = (add_to_matrices ? sum : 0.0f) + more;  // [R,A], [R,H]
    }
  }
}

ProjectedDistances allocate_distances(ActivationArena& arena, const EncoderShape& shape,
                                      DType dtype) {
  const RelativeForm& form = shape.relative;
  ProjectedDistances out;
  for (size_t term = 0; term < kDistanceTerms; ++term) {
    const bool is_keys = term == static_cast<size_t>(DistanceTerm::kKeys);
    if (is_keys ? !form.adds_keys : !form.adds_queries) continue;
    out[term] = arena.allocate(dtype, form.rows, shape.hidden);
  }
  return out;
}

ProjectedDistances distances_forward(const BlockContext& context, const BlockPart<Tensor>& w,
                                     const ProjectedDistances& out) {
  if (context.relative.rows.empty()) return out;
  const size_t mark = context.scratch.mark();
  const Tensor rows = dropped_rows(context);  // [R,H] attention.self.pos_dropout
  for (size_t term = 0; term < kDistanceTerms; ++term) {
    if (out[term].empty()) continue;
    const TermLayer layer = term_layer(context, w, term);
    ops::linear(rows, layer.weight, layer.bias, out[term]);  // [R,H] key_proj, pos_key_proj, ...
    adapters_forward(adapter_context(context), layer.adapters, rows, out[term]);
  }
  context.scratch.release(mark);
  return out;
}

ProjectedDistances zero_distance_gradients(const BlockContext& context, const BlockPart<Tensor>& w,
                                           const BlockPart<Tensor>& g) {
  if (context.relative.rows.empty()) return {};
  ProjectedDistances d = allocate_distances(context.scratch, context.shape, DType::kF32);
  for (size_t term = 0; term < kDistanceTerms; ++term) {
    const TermLayer learns = term_layer(context, g, term);
    if (context.drelative.rows.empty() && learns.weight.empty() && learns.adapters.empty()) {
      d[term] = {};
    } else if (!d[term].empty()) {
      ops::fill_zero(d[term]);
    }
  }
  return d;
}

void distances_backward(const BlockContext& context, const BlockPart<Tensor>& w,
                        const ProjectedDistances& d, const BlockPart<Tensor>& g) {
  if (context.relative.rows.empty()) return;
  const size_t mark = context.scratch.mark();
  const DType dtype = context.relative.rows.dtype;
  const Tensor rows = dropped_rows(context);
  const Tensor drows = context.drelative.rows.empty()
                           ? kNone
                           : context.scratch.allocate(dtype, rows.rows, rows.cols);
  // Query and key already have gradients of this pass.
  const bool add_to_matrices = context.add_to_matrices || !context.shape.relative.projects_itself;
  bool is_first = true;
  for (size_t term = 0; term < kDistanceTerms; ++term) {
    if (d[term].empty()) continue;
    const TermLayer layer = term_layer(context, w, term), dlayer = term_layer(context, g, term);
    const Tensor dout = as_type(context.scratch, d[term], dtype);
    ops::linear_backward(dout, rows, layer.weight, drows, dlayer.weight, dlayer.bias,
                         {.add_to_dx = !is_first,
                          .add_to_dweight = add_to_matrices});  // [R,H] key_proj, pos_key_proj, ...
    adapters_backward(adapter_context(context), layer.adapters, rows, dout, drows, add_to_matrices,
                      dlayer.adapters);
    is_first = false;
  }
  if (!drows.empty()) {
    const ops::Dropout dropout = context.dropout.at(context.layer, DropoutSite::kDistances);
    if (dropout.active()) ops::apply_dropout(drows, dropout, drows);  // attention.self.pos_dropout
    ops::add(as_type(context.scratch, drows, DType::kF32), context.drelative.rows);
  }
  context.scratch.release(mark);
}

}  // namespace spanforge
