#include "spanforge/model/encoder.h"

#include <map>

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
          .begins_at_stream = layer == 0 || pass.shape.norms == NormPlace::kBehindSums,
          .observer = pass.observer};
}

// The context of no layer: after the last one.
template <class Linear>
AdapterContext projection_adapters(const PassOf<Linear>& pass) {
  return {.dropout = pass.dropout,
          .layer = pass.shape.layers,
          .scale = pass.adapter_scale,
          .scratch = pass.arena};
}

bool learns(const BlockPart<Tensor>& g) { return learns_inside(g) || !g.output_norm.gamma.empty(); }
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

// The head always computes in f32: it is narrow, and the loss depends on it directly.
template <class Linear>
void head_forward(const PassOf<Linear>& pass, const Tensor& x, const HeadActivations& a,
                  const Tensor& logits) {
  const ModelParts<Tensor, Linear>& w = pass.weights;
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kHead);
  if (x.dtype != DType::kF32) ops::convert(x, a.hidden);  // [T,H]
  if (const auto& transform = w.head_transform) {
    const NormPart<Tensor>& norm = transform->norm;
    ops::linear(a.hidden, transform->dense.weight, transform->dense.bias,
                a.dense);  // [T,H] head.dense
    ops::bias_activation(a.dense, kNoTensor, pass.shape.head_activation,
                         a.norm.z);  // [T,H] head.act
    ops::bias_dropout_residual_layer_norm(a.norm.z, kNoTensor, kNoDropout, kNoTensor, norm.gamma,
                                          norm.beta, pass.shape.norm_eps, a.norm,
                                          a.input);  // [T,H] head.norm
  }
  if (dropout.active()) {
    ops::apply_dropout(w.head_transform ? a.input : a.hidden, dropout, a.input);  // [T,H]
  }
  ops::linear(a.input, w.head.weight, w.head.bias, logits);  // [T,2] qa_outputs
}

void head_backward(const Pass& pass, const HeadActivations& a, const Tensor& dlogits,
                   const Tensor& dx, bool add_to_matrices, const ModelParts<Tensor>& g) {
  const ops::LinearBackwardOptions options{.add_to_dweight = add_to_matrices};
  const auto& transform = pass.weights.head_transform;
  const size_t mark = pass.arena.mark();
  const auto allocate = [&] { return pass.arena.allocate<float>(dx.rows, dx.cols); };
  const bool wide = dx.dtype == DType::kF32;
  const Tensor dhidden = wide ? dx : allocate();
  const Tensor dinput = transform ? allocate() : dhidden;
  ops::linear_backward(dlogits, a.input, pass.weights.head.weight, dinput, g.head.weight,
                       g.head.bias, options);  // [T,H] qa_outputs
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kHead);
  if (dropout.active()) ops::apply_dropout(dinput, dropout, dinput);  // [T,H]
  if (transform) {
    const HeadTransformPart<Tensor>& own = *g.head_transform;
    ops::bias_dropout_residual_layer_norm_backward(dinput, a.norm, kNoDropout,
                                                   transform->norm.gamma, dinput, kNoTensor,
                                                   own.norm.gamma, own.norm.beta,
                                                   kNoTensor);  // [T,H] head.norm
    ops::bias_activation_backward(dinput, a.dense, pass.shape.head_activation, dinput,
                                  own.dense.bias);  // [T,H] head.act
    ops::linear_backward(dinput, a.hidden, transform->dense.weight, dhidden, own.dense.weight,
                         kNoTensor, options);  // [T,H] head.dense
  }
  if (!wide) ops::convert(dhidden, dx);  // [T,H]
  pass.arena.release(mark);
}

HeadActivations allocate_head(ActivationArena& arena, bool has_transform, bool drops,
                              const Tensor& last, Keeping keeping) {
  const auto allocate = [&] { return arena.allocate<float>(last.rows, last.cols); };
  const bool is_wide = last.dtype == DType::kF32;
  HeadActivations a;
  a.hidden = is_wide ? last : allocate();
  if (!has_transform) {
    a.input = is_wide && drops ? allocate() : a.hidden;
    return a;
  }
  a.dense = allocate();
  a.norm = allocate_norm(arena, DType::kF32, last.rows, last.cols);
  a.input = keeping == Keeping::kForBackward ? allocate() : a.dense;
  return a;
}

}  // namespace

EncoderShape encoder_shape(const EncoderSpec& spec, const ModelConfig& config) {
  const ops::Activation activation =
      ops::parse_activation(config.hidden_act, ErrorCode::kBadModel, {.file = "config.json"});
  EncoderShape shape{.hidden = config.hidden_size,
                     .inner = config.intermediate_size,
                     .heads = config.num_attention_heads,
                     .embedding = spec.width(config),
                     .layers = config.num_hidden_layers,
                     .norm_eps = static_cast<float>(config.layer_norm_eps),
                     .activation = activation,
                     .gated = spec.block.gated,
                     .norms = spec.block.norms,
                     .relative = spec.relative_form(config),
                     .score_terms = spec.score_terms(config)};
  if (spec.head.transform) {
    shape.head_activation = ops::parse_activation(config.*spec.head.transform->activation,
                                                  ErrorCode::kBadModel, {.file = "config.json"});
  }
  std::map<double, std::shared_ptr<const ops::RotaryAngles>> angles;  // by theta
  for (int32_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    shape.attention.push_back({.reach = spec.reach(layer, config)});
    if (!spec.rotary) continue;
    const double theta = spec.theta(layer, config);
    std::shared_ptr<const ops::RotaryAngles>& made = angles[theta];
    if (made == nullptr) {
      made = std::make_shared<ops::RotaryAngles>(
          theta, config.hidden_size / config.num_attention_heads, config.longest_input());
    }
    shape.attention.back().angles = made;
  }
  return shape;
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
  // A model that only answers has them projected already.
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
  a.head =
      allocate_head(arena, pass.weights.head_transform.has_value(),
                    pass.dropout.at(0, DropoutSite::kHead).active(), a.blocks.back().out, keeping);
  if (projected) {
    // In bf16 the head's input is not written before the projection's output has been read.
    a.projection.output = dtype == DType::kF32 ? a.embedded : a.head.hidden;
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
  Tensor x = a.embedded, stream = x;
  for (size_t layer = 0; layer < static_cast<size_t>(pass.shape.layers); ++layer) {
    const BlockContext context = block_context(pass, a.relative, layer);
    block_forward(context, pass.weights.blocks[context.block], x, stream, a.block(layer));
    x = a.block(layer).out;
    stream = stream_behind(pass.shape, a.block(layer));
  }
  head_forward(pass, x, a.head, logits);
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
  size_t first = 0;  // the first layer that learns or passes a gradient on
  while (!to_embeddings && !to_relative && first < layers &&
         !learns(gradients.blocks[block_of(first)])) {
    ++first;
  }

  const size_t mark = pass.arena.mark();
  const RelativeGradients drelative =
      to_relative ? zero_relative_gradients(pass.arena, pass.shape) : RelativeGradients{};
  const Tensor dx = pass.arena.allocate(a.embedded.dtype, dlogits.rows, pass.shape.hidden);
  Tensor dstream = dx;
  if (pass.shape.norms == NormPlace::kBeforeBranches) {
    dstream = pass.arena.allocate(dx.dtype, dx.rows, dx.cols);
    ops::fill_zero(dstream);  // nothing but the final norm follows the last block
  }
  head_backward(pass, a.head, dlogits, dx, add_to_matrices, gradients);
  if (done) done(std::nullopt);
  size_t block_before = pass.weights.blocks.size();
  for (size_t layer = layers; layer-- > first;) {
    BlockContext context = block_context(pass, a.relative, layer);
    context.drelative = drelative;
    // Layers that share weights add to the gradients of the one that ran backward first.
    context.add_to_matrices = add_to_matrices || context.block == block_before;
    context.wants_dx = to_embeddings || layer > first;
    block_before = context.block;
    const Tensor& x = layer == 0 ? a.embedded : a.block(layer - 1).out;
    block_backward(context, pass.weights.blocks[context.block], x, a.block(layer), dx, dstream,
                   gradients.blocks[context.block]);
    if (done && (layer == 0 || block_of(layer - 1) != context.block)) done(context.block);
  }
  if (to_relative) {
    relative_backward(pass.weights.relative, a.relative, drelative, add_to_matrices,
                      gradients.relative);
  }
  if (to_embeddings) embeddings_backward(pass, a, dstream, add_to_matrices, gradients);
  pass.arena.release(mark);
}

}  // namespace spanforge
