#include "spanforge/model/encoder.h"

#include <algorithm>

#include "spanforge/model/adapter.h"
#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/embedding.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

const Tensor kNoTensor;
const ops::Dropout kNoDropout;

template <class Linear>
BlockContext block_context(const PassOf<Linear>& pass, const RelativeActivations& relative,
                           size_t layer) {
  return {.shape = pass.shape,
          .cu_seqlens = pass.cu_seqlens,
          .dropout = pass.dropout,
          .scratch = pass.arena,
          .layer = static_cast<int32_t>(layer),
          .block = pass.spec.block_of(static_cast<int32_t>(layer), pass.config),
          .adapter_scale = pass.adapter_scale,
          .distance_rows = pass.ids.distance_rows(),
          .relative = relative,
          .observer = pass.observer};
}

// Of no layer: behind the last one.
template <class Linear>
AdapterContext projection_adapters(const PassOf<Linear>& pass) {
  return {.dropout = pass.dropout,
          .layer = pass.shape.layers,
          .scale = pass.adapter_scale,
          .scratch = pass.arena};
}

bool learns(const BlockPart<Tensor>& g) {
  const auto any = [](const auto& adapters) {
    return std::any_of(adapters.begin(), adapters.end(),
                       [](const auto& parts) { return !parts.empty(); });
  };
  return !g.qkv.weight.empty() || any(g.adapters) || any(g.distance_adapters);
}
bool embeddings_learn(const ModelParts<Tensor>& g) {
  return !g.embedding_norm.gamma.empty() || !g.projection_adapters.empty();
}

// x [T,E] -> y [T,H], in f32.
template <class Linear>
void project(const PassOf<Linear>& pass, const Tensor& x, const Tensor& y) {
  const LinearPart<Tensor>& projection = *pass.weights.projection;
  ops::linear(x, projection.weight, projection.bias, y);  // [T,H] embeddings_project, embed_proj
  adapters_forward(projection_adapters(pass), pass.weights.projection_adapters, x, y);
}

// dx may be empty.
void project_backward(const Pass& pass, const Tensor& dy, const Tensor& x, const Tensor& dx,
                      bool add_to_matrices, const ModelParts<Tensor>& g) {
  ops::linear_backward(dy, x, pass.weights.projection->weight, dx, g.projection->weight,
                       g.projection->bias, {.add_to_dweight = add_to_matrices});  // [T,E]
  adapters_backward(projection_adapters(pass), pass.weights.projection_adapters, x, dy, dx,
                    add_to_matrices, g.projection_adapters);
}

template <class Linear>
void embeddings_forward(const PassOf<Linear>& pass, const EncoderActivations& a) {
  const NormPart<Tensor>& norm = pass.weights.embedding_norm;
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kEmbeddings);
  const std::vector<EmbeddingSpec> specs = pass.spec.tables(pass.config);
  std::vector<ops::EmbeddingTable> tables;
  for (size_t i = 0; i < specs.size(); ++i) {
    tables.push_back({pass.weights.embeddings[i], pass.ids.of(specs[i].ids)});
  }
  const bool projected = pass.weights.projection.has_value();
  const bool projected_first = projected && pass.spec.embeddings.projected_before_norm;
  const ProjectionActivations& p = a.projection;
  ops::embedding_sum(tables, projected ? p.input : a.embedded);  // [T,E] embeddings.*
  if (projected_first) project(pass, p.input, p.output);
  const Tensor& y = !projected ? a.embedded : projected_first ? p.output : p.input;
  ops::bias_dropout_residual_layer_norm(y, kNoTensor, kNoDropout, kNoTensor, norm.gamma, norm.beta,
                                        pass.shape.norm_eps, a.embedding_norm,
                                        y);                 // [T,E] embeddings.LayerNorm
  if (dropout.active()) ops::apply_dropout(y, dropout, y);  // [T,E] embeddings.dropout
  if (!projected) return;
  if (!projected_first) project(pass, p.input, p.output);
  if (a.embedded.dtype != DType::kF32) ops::convert(p.output, a.embedded);  // [T,H]
}

void embeddings_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dembedded,
                         bool add_to_matrices, const ModelParts<Tensor>& g) {
  const size_t mark = pass.arena.mark();
  const bool tables_learn = !g.embedding_norm.gamma.empty();
  const bool projected = pass.weights.projection.has_value();
  const bool projected_first = projected && pass.spec.embeddings.projected_before_norm;
  Tensor dy = dembedded, dinput;
  if (projected) {
    if (dembedded.dtype != DType::kF32) {
      dy = pass.arena.allocate<float>(dembedded.rows, dembedded.cols);
      ops::convert(dembedded, dy);  // [T,H]
    }
    if (tables_learn) dinput = pass.arena.allocate<float>(dembedded.rows, pass.shape.embedding);
    if (!projected_first) {
      project_backward(pass, dy, a.projection.input, dinput, add_to_matrices, g);
      dy = dinput;
    }
  }
  if (tables_learn || projected_first) {
    const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kEmbeddings);
    if (dropout.active()) ops::apply_dropout(dy, dropout, dy);  // [T,E] embeddings.dropout
    ops::bias_dropout_residual_layer_norm_backward(
        dy, a.embedding_norm, kNoDropout, pass.weights.embedding_norm.gamma, dy, kNoTensor,
        g.embedding_norm.gamma, g.embedding_norm.beta, kNoTensor);  // [T,E] embeddings.LayerNorm
  }
  if (projected_first) {
    project_backward(pass, dy, a.projection.input, dinput, add_to_matrices, g);
    dy = dinput;
  }
  if (!tables_learn) return pass.arena.release(mark);
  const std::vector<EmbeddingSpec> specs = pass.spec.tables(pass.config);
  for (size_t i = 0; i < specs.size(); ++i) {
    ops::embedding_backward(dy, pass.ids.of(specs[i].ids), g.embeddings[i]);  // [V,E]
    const int32_t padding = pass.spec.padding_row(pass.config);
    if (specs[i].has_padding_row && padding >= 0) {
      ops::fill_zero(g.embeddings[i].row_range(padding, 1));
    }
  }
  pass.arena.release(mark);
}

// The head computes in f32 whatever the blocks do: it is two columns wide, and the loss sees it.
template <class Linear>
void head_forward(const PassOf<Linear>& pass, const Tensor& x, const Tensor& head_input,
                  const Tensor& logits) {
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kHead);
  if (x.dtype != DType::kF32) ops::convert(x, head_input);  // [T,H]
  if (dropout.active()) {
    ops::apply_dropout(x.dtype == DType::kF32 ? x : head_input, dropout, head_input);  // [T,H]
  }
  ops::linear(head_input, pass.weights.head.weight, pass.weights.head.bias,
              logits);  // [T,2] qa_outputs
}

void head_backward(const Pass& pass, const Tensor& head_input, const Tensor& dlogits,
                   const Tensor& dx, bool add_to_matrices, const ModelParts<Tensor>& g) {
  const size_t mark = pass.arena.mark();
  const bool wide = dx.dtype == DType::kF32;
  const Tensor dhead = wide ? dx : pass.arena.allocate<float>(dx.rows, dx.cols);
  ops::linear_backward(dlogits, head_input, pass.weights.head.weight, dhead, g.head.weight,
                       g.head.bias, {.add_to_dweight = add_to_matrices});  // [T,H] qa_outputs
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kHead);
  if (dropout.active()) ops::apply_dropout(dhead, dropout, dhead);  // [T,H]
  if (!wide) ops::convert(dhead, dx);                               // [T,H]
  pass.arena.release(mark);
}

}  // namespace

EncoderShape encoder_shape(const EncoderSpec& spec, const ModelConfig& config) {
  const ops::Activation activation =
      ops::parse_activation(config.hidden_act, ErrorCode::kBadModel, "config.json");
  return {.hidden = config.hidden_size,
          .inner = config.intermediate_size,
          .heads = config.num_attention_heads,
          .embedding = spec.width(config),
          .layers = config.num_hidden_layers,
          .norm_eps = static_cast<float>(config.layer_norm_eps),
          .activation = activation,
          .relative = spec.relative_form(config),
          .score_terms = spec.score_terms(config)};
}

template <class Linear>
EncoderActivations allocate_encoder(const PassOf<Linear>& pass, DType dtype, int64_t tokens,
                                    Keeping keeping) {
  ActivationArena& arena = pass.arena;
  const EncoderShape& shape = pass.shape;
  const bool projected = pass.weights.projection.has_value();
  EncoderActivations a;
  if (projected) {
    const bool first = pass.spec.embeddings.projected_before_norm;
    a.embedding_norm =
        allocate_norm(arena, DType::kF32, tokens, first ? shape.hidden : shape.embedding);
    a.projection.input = arena.allocate<float>(tokens, shape.embedding);
  } else if (keeping == Keeping::kForBackward) {
    a.embedding_norm = allocate_norm(arena, dtype, tokens, shape.hidden);
  }
  a.embedded = arena.allocate(dtype, tokens, shape.hidden);
  // What answers has them projected already.
  constexpr bool kProjects = std::is_same_v<Linear, LinearPart<Tensor>>;
  a.relative = allocate_relative(arena, shape, dtype, kProjects);
  if (keeping == Keeping::kForBackward) {
    for (int32_t i = 0; i < shape.layers; ++i) {
      a.blocks.push_back(allocate_block(arena, shape, dtype, tokens));
    }
  } else {
    a.blocks.push_back(allocate_passing_block(arena, shape, a.embedded));
    if (!projected) a.embedding_norm = a.blocks.back().output_norm;
  }
  for (BlockActivations& block : a.blocks) {
    if (kProjects) block.distances = allocate_distances(arena, shape, dtype);
  }
  const bool is_wide = dtype == DType::kF32;
  const bool drops = pass.dropout.at(0, DropoutSite::kHead).active();
  a.head_input =
      is_wide && !drops ? a.blocks.back().out : arena.allocate<float>(tokens, shape.hidden);
  if (projected) {
    // In bf16 the head's input is not written before the projection's output has been read.
    a.projection.output = is_wide ? a.embedded : a.head_input;
  }
  return a;
}
template EncoderActivations allocate_encoder(const Pass&, DType, int64_t, Keeping);
template EncoderActivations allocate_encoder(const AnsweringPass&, DType, int64_t, Keeping);

template <class Linear>
void encoder_forward(const PassOf<Linear>& pass, const EncoderActivations& a,
                     const Tensor& logits) {
  embeddings_forward(pass, a);
  relative_forward(pass.arena, pass.shape, pass.weights.relative, a.relative);
  Tensor x = a.embedded;
  for (size_t layer = 0; layer < static_cast<size_t>(pass.shape.layers); ++layer) {
    const BlockContext context = block_context(pass, a.relative, layer);
    block_forward(context, pass.weights.blocks[context.block], x, a.block(layer));
    x = a.block(layer).out;
  }
  head_forward(pass, x, a.head_input, logits);
}
template void encoder_forward(const Pass&, const EncoderActivations&, const Tensor&);
template void encoder_forward(const AnsweringPass&, const EncoderActivations&, const Tensor&);

void encoder_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dlogits,
                      bool add_to_matrices, const ModelParts<Tensor>& gradients,
                      const DoneObserver& done) {
  const auto layers = static_cast<size_t>(pass.shape.layers);
  const auto block_of = [&](size_t layer) {
    return pass.spec.block_of(static_cast<int32_t>(layer), pass.config);
  };
  const bool to_embeddings = embeddings_learn(gradients);
  const bool to_relative = !gradients.relative.table.empty();  // which every layer uses
  size_t first = 0;  // the first layer that learns, or hands something on
  while (!to_embeddings && !to_relative && first < layers &&
         !learns(gradients.blocks[block_of(first)])) {
    ++first;
  }

  const size_t mark = pass.arena.mark();
  const RelativeGradients drelative =
      to_relative ? zero_relative_gradients(pass.arena, pass.shape) : RelativeGradients{};
  const Tensor dx = pass.arena.allocate(a.embedded.dtype, dlogits.rows, pass.shape.hidden);
  head_backward(pass, a.head_input, dlogits, dx, add_to_matrices, gradients);
  if (done) done(std::nullopt);
  size_t block_before = pass.weights.blocks.size();
  for (size_t layer = layers; layer-- > first;) {
    BlockContext context = block_context(pass, a.relative, layer);
    context.drelative = drelative;
    // Layers that share weights add to the gradients of the first of them that was here.
    context.add_to_matrices = add_to_matrices || context.block == block_before;
    context.wants_dx = to_embeddings || layer > first;
    block_before = context.block;
    const Tensor& x = layer == 0 ? a.embedded : a.block(layer - 1).out;
    block_backward(context, pass.weights.blocks[context.block], x, a.block(layer), dx,
                   gradients.blocks[context.block]);
    if (done && (layer == 0 || block_of(layer - 1) != context.block)) done(context.block);
  }
  if (to_relative) {
    relative_backward(pass.weights.relative, a.relative, drelative, add_to_matrices,
                      gradients.relative);
  }
  if (to_embeddings) embeddings_backward(pass, a, dx, add_to_matrices, gradients);
  pass.arena.release(mark);
}

}  // namespace spanforge
