#include "spanforge/model/block.h"

#include <cmath>

#include "spanforge/model/adapter.h"
#include "spanforge/model/linear_form.h"
#include "spanforge/ops/attention.h"

namespace spanforge {
namespace {

ops::AttentionShape attention_shape(const BlockContext& context,
                                    const ProjectedDistances& distances) {
  const int64_t head_size = context.shape.hidden / context.shape.heads;
  const auto divisor = static_cast<double>(head_size * context.shape.score_terms);
  return {.cu_seqlens = context.cu_seqlens,
          .heads = context.shape.heads,
          .scale = static_cast<float>(1.0 / std::sqrt(divisor)),
          .relative = {.rows = context.distance_rows,
                       .keys = distances[static_cast<size_t>(DistanceTerm::kKeys)],
                       .queries = distances[static_cast<size_t>(DistanceTerm::kQueries)],
                       .biases = context.relative.biases}};
}

struct Dropouts {
  ops::Dropout probabilities, attention_output, output;
};

Dropouts dropouts(const BlockContext& context) {
  return {.probabilities = context.dropout.at(context.layer, DropoutSite::kAttention),
          .attention_output = context.dropout.at(context.layer, DropoutSite::kAttentionOutput),
          .output = context.dropout.at(context.layer, DropoutSite::kOutput)};
}

const Tensor kNone;  // no bias's gradient here: the operation behind the layer gives it

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
          .inner = arena.allocate(dtype, tokens, shape.inner),
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
  a.out = x;
  return a;
}

template <class Linear>
void block_forward(const BlockContext& context, const BlockPart<Tensor, Linear>& w, const Tensor& x,
                   const BlockActivations& a) {
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
  const size_t mark = context.scratch.mark();
  const Tensor branch = context.scratch.allocate(x.dtype, x.rows, s.hidden);

  see(BlockLinear::kQkv, x);
  apply_linear(w.qkv, x, a.qkv);  // [T,3H] attention.self.{query,key,value}
  add_adapters(BlockLinear::kQkv, x, a.qkv);
  const ProjectedDistances distances = distances_forward(context, w, a.distances);  // [R,H]
  ops::attention(a.qkv, attention_shape(context, distances), drop.probabilities, a.context,
                 a.lse);  // [T,H] attention.self
  see(BlockLinear::kAttentionOutput, a.context);
  const Tensor attention_bias =
      apply_before_bias(w.attention_output, a.context, branch);  // [T,H] attention.output.dense
  add_adapters(BlockLinear::kAttentionOutput, a.context, branch);
  ops::bias_dropout_residual_layer_norm(branch, attention_bias, drop.attention_output, x,
                                        w.attention_norm.gamma, w.attention_norm.beta, s.norm_eps,
                                        a.attention_norm,
                                        a.attention_out);  // [T,H] attention.output.LayerNorm
  see(BlockLinear::kIntermediate, a.attention_out);
  apply_activated(w.intermediate, a.attention_out, s.activation, a.inner, a.activated,
                  [&](const Tensor& z) {
                    add_adapters(BlockLinear::kIntermediate, a.attention_out, z);
                  });  // [T,F] intermediate.dense, intermediate_act_fn
  see(BlockLinear::kOutput, a.activated);
  const Tensor output_bias = apply_before_bias(w.output, a.activated, branch);  // [T,H] output.dense
  add_adapters(BlockLinear::kOutput, a.activated, branch);
  ops::bias_dropout_residual_layer_norm(branch, output_bias, drop.output, a.attention_out,
                                        w.output_norm.gamma, w.output_norm.beta, s.norm_eps,
                                        a.output_norm, a.out);  // [T,H] output.LayerNorm

  context.scratch.release(mark);
}
template void block_forward(const BlockContext&, const BlockPart<Tensor>&, const Tensor&,
                            const BlockActivations&);
template void block_forward(const BlockContext&, const BlockPart<Tensor, ops::PackedLinear>&,
                            const Tensor&, const BlockActivations&);

// dy runs down the residual path; each branch's gradient joins it where the branch began.
void block_backward(const BlockContext& context, const BlockPart<Tensor>& w, const Tensor& x,
                    const BlockActivations& a, const Tensor& dy, const BlockPart<Tensor>& g) {
  const EncoderShape& s = context.shape;
  const Dropouts drop = dropouts(context);
  const ops::LinearBackwardOptions fresh_dx{.add_to_dweight = context.add_to_matrices};
  const ops::LinearBackwardOptions residual_dx{.add_to_dx = true,
                                               .add_to_dweight = context.add_to_matrices};
  const auto adapters = [&](BlockLinear linear, const Tensor& input, const Tensor& dout,
                            const Tensor& dinput) {
    adapters_backward(adapter_context(context), adapters_of(w, linear), input, dout, dinput,
                      context.add_to_matrices, adapters_of(g, linear));
  };
  const size_t mark = context.scratch.mark();
  const Tensor dbranch = context.scratch.allocate(x.dtype, x.rows, s.hidden);
  const Tensor dinner = context.scratch.allocate(x.dtype, x.rows, s.inner);
  const Tensor dcontext = context.scratch.allocate(x.dtype, x.rows, s.hidden);
  const Tensor dqkv = context.scratch.allocate(x.dtype, x.rows, 3 * s.hidden);

  ops::bias_dropout_residual_layer_norm_backward(dy, a.output_norm, drop.output,
                                                 w.output_norm.gamma, dy, dbranch,
                                                 g.output_norm.gamma, g.output_norm.beta,
                                                 g.output.bias);  // [T,H] output.LayerNorm
  ops::linear_backward(dbranch, a.activated, w.output.weight, dinner, g.output.weight, kNone,
                       fresh_dx);  // [T,F] output.dense
  adapters(BlockLinear::kOutput, a.activated, dbranch, dinner);
  ops::bias_activation_backward(dinner, a.inner, s.activation, dinner,
                                g.intermediate.bias);  // [T,F] intermediate_act_fn
  ops::linear_backward(dinner, a.attention_out, w.intermediate.weight, dy, g.intermediate.weight,
                       kNone, residual_dx);  // [T,H] intermediate.dense
  adapters(BlockLinear::kIntermediate, a.attention_out, dinner, dy);
  ops::bias_dropout_residual_layer_norm_backward(
      dy, a.attention_norm, drop.attention_output, w.attention_norm.gamma, dy, dbranch,
      g.attention_norm.gamma, g.attention_norm.beta,
      g.attention_output.bias);  // [T,H] attention.output.LayerNorm
  ops::linear_backward(dbranch, a.context, w.attention_output.weight, dcontext,
                       g.attention_output.weight, kNone, fresh_dx);  // [T,H] attention.output.dense
  adapters(BlockLinear::kAttentionOutput, a.context, dbranch, dcontext);
  const ProjectedDistances ddistances = zero_distance_gradients(context, w, g);
  ops::attention_backward(dcontext, a.qkv, a.context, a.lse, attention_shape(context, a.distances),
                          drop.probabilities, dqkv,
                          {.keys = ddistances[static_cast<size_t>(DistanceTerm::kKeys)],
                           .queries = ddistances[static_cast<size_t>(DistanceTerm::kQueries)],
                           .biases = context.drelative.biases});  // [T,3H] attention.self
  const Tensor dx = context.wants_dx ? dy : kNone;
  ops::linear_backward(dqkv, x, w.qkv.weight, dx, g.qkv.weight, g.qkv.bias,
                       residual_dx);  // [T,H] attention.self.{query,key,value}
  adapters(BlockLinear::kQkv, x, dqkv, dx);
  distances_backward(context, w, ddistances, g);

  context.scratch.release(mark);
}

}  // namespace spanforge
