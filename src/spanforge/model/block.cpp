#include "spanforge/model/block.h"

#include <algorithm>
#include <cmath>

#include "spanforge/model/adapter.h"
#include "spanforge/model/linear_form.h"
#include "spanforge/ops/attention.h"
#include "spanforge/ops/dropout_apply.h"

namespace spanforge {
namespace {

const LayerAttention& attention_of(const BlockContext& context) {
  return context.shape.attention[static_cast<size_t>(context.layer)];
}

ops::AttentionShape attention_shape(const BlockContext& context,
                                    const ProjectedDistances& distances) {
  const int64_t head_size = context.shape.hidden / context.shape.heads;
  const auto divisor = static_cast<double>(head_size * context.shape.score_terms);
  return {.cu_seqlens = context.cu_seqlens,
          .heads = context.shape.heads,
          .scale = static_cast<float>(1.0 / std::sqrt(divisor)),
          .reach = attention_of(context).reach,
          .relative = {.rows = context.distance_rows,
                       .keys = distances[static_cast<size_t>(DistanceTerm::kKeys)],
                       .queries = distances[static_cast<size_t>(DistanceTerm::kQueries)],
                       .biases = context.relative.biases}};
}

struct Dropouts {
  ops::Dropout probabilities, attention_output, inner, output;
};

Dropouts dropouts(const BlockContext& context) {
  return {.probabilities = context.dropout.at(context.layer, DropoutSite::kAttention),
          .attention_output = context.dropout.at(context.layer, DropoutSite::kAttentionOutput),
          .inner = context.dropout.at(context.layer, DropoutSite::kInner),
          .output = context.dropout.at(context.layer, DropoutSite::kOutput)};
}

const Tensor kNone;  // no gradient of the bias here: the operation after the layer computes it

AdapterContext adapter_context(const BlockContext& context) {
  return {.dropout = context.dropout,
          .layer = context.layer,
          .scale = context.adapter_scale,
          .scratch = context.scratch};
}

template <class Linear>
const std::vector<AdapterPart<Tensor>>& adapters_of(const BlockPart<Tensor, Linear>& block,
                                                    BlockLinear linear) {
  return block.adapters[static_cast<size_t>(linear)];
}

}  // namespace

ops::LayerNormSaved allocate_norm(ActivationArena& arena, DType dtype, int64_t tokens,
                                  int64_t hidden) {
  return {.z = arena.allocate(dtype, tokens, hidden),
          .mean = arena.allocate<float>(1, tokens),
          .rstd = arena.allocate<float>(1, tokens)};
}

BlockActivations allocate_block(ActivationArena& arena, const EncoderShape& shape, DType dtype,
                                int64_t tokens) {
  return {.qkv = arena.allocate(dtype, tokens, 3 * shape.hidden),
          .context = arena.allocate(dtype, tokens, shape.hidden),
          .lse = arena.allocate<float>(shape.heads, tokens),
          .attention_norm = allocate_norm(arena, dtype, tokens, shape.hidden),
          .attention_out = arena.allocate(dtype, tokens, shape.hidden),
          .inner = arena.allocate(dtype, tokens, shape.intermediate()),
          .activated = arena.allocate(dtype, tokens, shape.inner),
          .output_norm = allocate_norm(arena, dtype, tokens, shape.hidden),
          .out = arena.allocate(dtype, tokens, shape.hidden)};
}

BlockActivations allocate_passing_block(ActivationArena& arena, const EncoderShape& shape,
                                        const Tensor& x) {
  BlockActivations a;
  a.qkv = arena.allocate(x.dtype, x.rows, 3 * shape.hidden);
  a.context = arena.allocate(x.dtype, x.rows, shape.hidden);
  a.lse = arena.allocate<float>(shape.heads, x.rows);
  a.attention_norm = a.output_norm = allocate_norm(arena, x.dtype, x.rows, shape.hidden);
  a.attention_out = arena.allocate(x.dtype, x.rows, shape.hidden);
  a.inner = a.activated = arena.allocate(x.dtype, x.rows, shape.inner);
  if (shape.gated) a.inner = arena.allocate(x.dtype, x.rows, shape.intermediate());
  a.out = x;
  return a;
}

bool learns_inside(const BlockPart<Tensor>& g) {
  const auto any = [](const auto& adapters) {
    return std::any_of(adapters.begin(), adapters.end(),
                       [](const auto& parts) { return !parts.empty(); });
  };
  return !g.qkv.weight.empty() || any(g.adapters) || any(g.distance_adapters);
}

const Tensor& stream_behind(const EncoderShape& shape, const BlockActivations& a) {
  return shape.norms == NormPlace::kBehindSums ? a.out : a.output_norm.z;
}

template <class Linear>
void block_forward(const BlockContext& context, const BlockPart<Tensor, Linear>& w, const Tensor& x,
                   const Tensor& stream, const BlockActivations& a) {
  const EncoderShape& s = context.shape;
  const Dropouts drop = dropouts(context);
  const auto see = [&](BlockLinear linear, const Tensor& input) {
    if (context.observer != nullptr) {
      (*context.observer)(context.block, linear, input);
    }
  };
  const auto add_adapters = [&](BlockLinear linear, const Tensor& input, const Tensor& y) {
    adapters_forward(adapter_context(context), adapters_of(w, linear), input, y);
  };
  const bool norms_behind = s.norms == NormPlace::kBehindSums;
  const size_t mark = context.scratch.mark();
  const Tensor branch = context.scratch.allocate(x.dtype, x.rows, s.hidden);

  see(BlockLinear::kQkv, x);
  apply_linear(w.qkv, x, a.qkv);  // [T,3H] attention.self.{query,key,value}
  add_adapters(BlockLinear::kQkv, x, a.qkv);
  if (const auto& angles = attention_of(context).angles) {
    ops::rotate_queries_and_keys(a.qkv, context.cu_seqlens, s.heads, *angles);  // [T,3H]
  }
  const ProjectedDistances distances = distances_forward(context, w, a.distances);  // [R,H]
  ops::attention(a.qkv, attention_shape(context, distances), drop.probabilities, a.context,
                 a.lse);  // [T,H] attention.self
  see(BlockLinear::kAttentionOutput, a.context);
  const Tensor attention_bias =
      apply_before_bias(w.attention_output, a.context, branch);  // [T,H] attention.output.dense
  add_adapters(BlockLinear::kAttentionOutput, a.context, branch);
  ops::bias_dropout_residual_layer_norm(branch, attention_bias, drop.attention_output, stream,
                                        w.attention_norm.gamma, w.attention_norm.beta, s.norm_eps,
                                        a.attention_norm,
                                        a.attention_out);  // [T,H] attention.output.LayerNorm
  const Tensor& middle = norms_behind ? a.attention_out : a.attention_norm.z;  // of the stream
  see(BlockLinear::kIntermediate, a.attention_out);
  const auto add_inner_adapters = [&](const Tensor& z) {
    add_adapters(BlockLinear::kIntermediate, a.attention_out, z);
  };
  if (s.gated) {
    apply_linear(w.intermediate, a.attention_out, a.inner);  // [T,2F] mlp.Wi
    add_inner_adapters(a.inner);
    ops::gated_activation(a.inner, s.activation, a.activated);  // [T,F] mlp.act
  } else {
    apply_activated(w.intermediate, a.attention_out, s.activation, a.inner, a.activated,
                    add_inner_adapters);  // [T,F] intermediate.dense, intermediate_act_fn
  }
  if (drop.inner.active()) ops::apply_dropout(a.activated, drop.inner, a.activated);  // [T,F]
  see(BlockLinear::kOutput, a.activated);
  const Tensor output_bias =
      apply_before_bias(w.output, a.activated, branch);  // [T,H] output.dense
  add_adapters(BlockLinear::kOutput, a.activated, branch);
  ops::bias_dropout_residual_layer_norm(branch, output_bias, drop.output, middle,
                                        w.output_norm.gamma, w.output_norm.beta, s.norm_eps,
                                        a.output_norm, a.out);  // [T,H] output.LayerNorm

  context.scratch.release(mark);
}
template void block_forward(const BlockContext&, const BlockPart<Tensor>&, const Tensor&,
                            const Tensor&, const BlockActivations&);
template void block_forward(const BlockContext&, const BlockPart<Tensor, ops::PackedLinear>&,
                            const Tensor&, const Tensor&, const BlockActivations&);

// dstream follows the residual path. If norms come after the sums, it is dy, and each branch's
// gradient is added to it where the branch began. If they come before the branches, the gradient is
// added after the branch's norm.
void block_backward(const BlockContext& context, const BlockPart<Tensor>& w, const Tensor& x,
                    const BlockActivations& a, const Tensor& dy, const Tensor& dstream,
                    const BlockPart<Tensor>& g) {
  const EncoderShape& s = context.shape;
  const Dropouts drop = dropouts(context);
  const ops::LinearBackwardOptions fresh_dx{.add_to_dweight = context.add_to_matrices};
  const bool norms_behind = s.norms == NormPlace::kBehindSums;
  const ops::LinearBackwardOptions branch_dx{.add_to_dx = norms_behind,
                                             .add_to_dweight = context.add_to_matrices};
  const ops::LinearBackwardOptions input_dx{.add_to_dx = context.begins_at_stream,
                                            .add_to_dweight = context.add_to_matrices};
  const auto adapters = [&](BlockLinear linear, const Tensor& input, const Tensor& dout,
                            const Tensor& dinput) {
    adapters_backward(adapter_context(context), adapters_of(w, linear), input, dout, dinput,
                      context.add_to_matrices, adapters_of(g, linear));
  };
  const size_t mark = context.scratch.mark();
  const Tensor dbranch = context.scratch.allocate(x.dtype, x.rows, s.hidden);
  const Tensor dactivated = context.scratch.allocate(x.dtype, x.rows, s.inner);
  const Tensor dinner =
      s.gated ? context.scratch.allocate(x.dtype, x.rows, s.intermediate()) : dactivated;
  const Tensor dcontext = context.scratch.allocate(x.dtype, x.rows, s.hidden);
  const Tensor dqkv = context.scratch.allocate(x.dtype, x.rows, 3 * s.hidden);

  ops::bias_dropout_residual_layer_norm_backward(
      dy, a.output_norm, drop.output, w.output_norm.gamma, dstream, dbranch, g.output_norm.gamma,
      g.output_norm.beta, g.output.bias,
      !norms_behind);  // [T,H] output.LayerNorm
  if (!context.wants_dx && !context.drelative.any() && !learns_inside(g)) {
    return context.scratch.release(mark);
  }
  ops::linear_backward(dbranch, a.activated, w.output.weight, dactivated, g.output.weight, kNone,
                       fresh_dx);  // [T,F] output.dense
  adapters(BlockLinear::kOutput, a.activated, dbranch, dactivated);
  if (drop.inner.active()) ops::apply_dropout(dactivated, drop.inner, dactivated);  // [T,F]
  if (s.gated) {
    ops::gated_activation_backward(dactivated, a.inner, s.activation, dinner);  // [T,2F] mlp.act
  } else {
    ops::bias_activation_backward(dinner, a.inner, s.activation, dinner,
                                  g.intermediate.bias);  // [T,F] intermediate_act_fn
  }
  ops::linear_backward(dinner, a.attention_out, w.intermediate.weight, dy, g.intermediate.weight,
                       s.gated ? g.intermediate.bias : kNone,
                       branch_dx);  // [T,H] intermediate.dense, mlp.Wi
  adapters(BlockLinear::kIntermediate, a.attention_out, dinner, dy);
  ops::bias_dropout_residual_layer_norm_backward(
      dy, a.attention_norm, drop.attention_output, w.attention_norm.gamma, dstream, dbranch,
      g.attention_norm.gamma, g.attention_norm.beta, g.attention_output.bias,
      !norms_behind);  // [T,H] attention.output.LayerNorm
  ops::linear_backward(dbranch, a.context, w.attention_output.weight, dcontext,
                       g.attention_output.weight, kNone, fresh_dx);  // [T,H] attention.output.dense
  adapters(BlockLinear::kAttentionOutput, a.context, dbranch, dcontext);
  const ProjectedDistances ddistances = zero_distance_gradients(context, w, g);
  ops::attention_backward(dcontext, a.qkv, a.context, a.lse, attention_shape(context, a.distances),
                          drop.probabilities, dqkv,
                          {.keys = ddistances[static_cast<size_t>(DistanceTerm::kKeys)],
                           .queries = ddistances[static_cast<size_t>(DistanceTerm::kQueries)],
                           .biases = context.drelative.biases});  // [T,3H] attention.self
  if (const auto& angles = attention_of(context).angles) {
    ops::rotate_queries_and_keys_backward(dqkv, context.cu_seqlens, s.heads, *angles);
  }
  const Tensor& dinput = context.begins_at_stream ? dstream : dy;
  const Tensor dx = context.wants_dx ? dinput : kNone;
  ops::linear_backward(dqkv, x, w.qkv.weight, dx, g.qkv.weight, g.qkv.bias,
                       input_dx);  // [T,H] attention.self.{query,key,value}
  adapters(BlockLinear::kQkv, x, dqkv, dx);
  distances_backward(context, w, ddistances, g);

  context.scratch.release(mark);
}

}  // namespace spanforge
