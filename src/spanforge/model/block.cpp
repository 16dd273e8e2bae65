#include "spanforge/model/block.h"

#include <cmath>

#include "spanforge/ops/attention.h"
#include "spanforge/ops/linear.h"

namespace spanforge {
namespace {

ops::AttentionShape attention_shape(const BlockContext& context) {
  const auto head_size = static_cast<double>(context.shape.hidden / context.shape.heads);
  return {.cu_seqlens = context.cu_seqlens,
          .heads = context.shape.heads,
          .scale = static_cast<float>(1.0 / std::sqrt(head_size))};
}

struct Dropouts {
  ops::Dropout probabilities, attention_output, output;
};

Dropouts dropouts(const BlockContext& context, int32_t layer) {
  return {.probabilities = context.dropout.at(layer, DropoutSite::kAttention),
          .attention_output = context.dropout.at(layer, DropoutSite::kAttentionOutput),
          .output = context.dropout.at(layer, DropoutSite::kOutput)};
}

const Tensor kNone;  // no bias here: it is fused into the operation that follows

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

void block_forward(const BlockContext& context, int32_t layer, const BlockPart<Tensor>& w,
                   const Tensor& x, const BlockActivations& a) {
  const EncoderShape& s = context.shape;
  const ops::AttentionShape heads = attention_shape(context);
  const Dropouts drop = dropouts(context, layer);
  const size_t mark = context.scratch.mark();
  const Tensor branch = context.scratch.allocate(x.dtype, x.rows, s.hidden);

  ops::linear(x, w.qkv.weight, w.qkv.bias, a.qkv);  // [T,3H] attention.self.{query,key,value}
  ops::attention(a.qkv, heads, drop.probabilities, a.context, a.lse);  // [T,H] attention.self
  ops::linear(a.context, w.attention_output.weight, kNone, branch);  // [T,H] attention.output.dense
  ops::bias_dropout_residual_layer_norm(branch, w.attention_output.bias, drop.attention_output, x,
                                        w.attention_norm.gamma, w.attention_norm.beta, s.norm_eps,
                                        a.attention_norm,
                                        a.attention_out);  // [T,H] attention.output.LayerNorm
  ops::linear(a.attention_out, w.intermediate.weight, kNone, a.inner);  // [T,F] intermediate.dense
  ops::bias_activation(a.inner, w.intermediate.bias, s.activation,
                       a.activated);                         // [T,F] intermediate_act_fn
  ops::linear(a.activated, w.output.weight, kNone, branch);  // [T,H] output.dense
  ops::bias_dropout_residual_layer_norm(branch, w.output.bias, drop.output, a.attention_out,
                                        w.output_norm.gamma, w.output_norm.beta, s.norm_eps,
                                        a.output_norm, a.out);  // [T,H] output.LayerNorm

  context.scratch.release(mark);
}

// dy runs down the residual path; each branch's gradient joins it where the branch began.
void block_backward(const BlockContext& context, int32_t layer, const BlockPart<Tensor>& w,
                    const Tensor& x, const BlockActivations& a, const Tensor& dy,
                    const BlockPart<Tensor>& g) {
  const EncoderShape& s = context.shape;
  const ops::AttentionShape heads = attention_shape(context);
  const Dropouts drop = dropouts(context, layer);
  const ops::LinearBackwardOptions fresh_dx{.add_to_dweight = context.add_to_matrices};
  const ops::LinearBackwardOptions residual_dx{.add_to_dx = true,
                                               .add_to_dweight = context.add_to_matrices};
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
  ops::bias_activation_backward(dinner, a.inner, s.activation, dinner,
                                g.intermediate.bias);  // [T,F] intermediate_act_fn
  ops::linear_backward(dinner, a.attention_out, w.intermediate.weight, dy, g.intermediate.weight,
                       kNone, residual_dx);  // [T,H] intermediate.dense
  ops::bias_dropout_residual_layer_norm_backward(
      dy, a.attention_norm, drop.attention_output, w.attention_norm.gamma, dy, dbranch,
      g.attention_norm.gamma, g.attention_norm.beta,
      g.attention_output.bias);  // [T,H] attention.output.LayerNorm
  ops::linear_backward(dbranch, a.context, w.attention_output.weight, dcontext,
                       g.attention_output.weight, kNone, fresh_dx);  // [T,H] attention.output.dense
  ops::attention_backward(dcontext, a.qkv, a.context, a.lse, heads, drop.probabilities,
                          dqkv);  // [T,3H] attention.self
  ops::linear_backward(dqkv, x, w.qkv.weight, dy, g.qkv.weight, g.qkv.bias,
                       residual_dx);  // [T,H] attention.self.{query,key,value}

  context.scratch.release(mark);
}

}  // namespace spanforge
