#include "spanforge/model/encoder.h"

#include "spanforge/model/batch_ids.h"
#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/embedding.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

const Tensor kNone;
const ops::Dropout kNoDropout;

template <class Linear>
void embeddings_forward(const PassOf<Linear>& pass, const EncoderActivations& a) {
  const NormPart<Tensor>& norm = pass.weights.embedding_norm;
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kEmbeddings);
  std::vector<ops::EmbeddingTable> tables;
  for (size_t i = 0; i < pass.spec.embeddings.size(); ++i) {
    tables.push_back({pass.weights.embeddings[i], ids_of(pass.batch, pass.spec.embeddings[i].ids)});
  }
  const Tensor& y = a.embedded;
  ops::embedding_sum(tables, y);  // [T,H] embeddings.*
  ops::bias_dropout_residual_layer_norm(y, kNone, kNoDropout, kNone, norm.gamma, norm.beta,
                                        pass.shape.norm_eps, a.embedding_norm,
                                        y);                 // [T,H] embeddings.LayerNorm
  if (dropout.active()) ops::apply_dropout(y, dropout, y);  // [T,H] embeddings.dropout
}

void embeddings_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dy,
                         int32_t padding_row, const ModelParts<Tensor>& g) {
  const ops::Dropout dropout = pass.dropout.at(0, DropoutSite::kEmbeddings);
  if (dropout.active()) ops::apply_dropout(dy, dropout, dy);  // [T,H] embeddings.dropout
  ops::bias_dropout_residual_layer_norm_backward(
      dy, a.embedding_norm, kNoDropout, pass.weights.embedding_norm.gamma, dy, kNone,
      g.embedding_norm.gamma, g.embedding_norm.beta, kNone);  // [T,H] embeddings.LayerNorm
  for (size_t i = 0; i < pass.spec.embeddings.size(); ++i) {
    const EmbeddingSpec& table = pass.spec.embeddings[i];
    ops::embedding_backward(dy, ids_of(pass.batch, table.ids), g.embeddings[i]);  // [V,H]
    if (table.has_padding_row && padding_row >= 0) {
      ops::fill_zero(g.embeddings[i].row_range(padding_row, 1));
    }
  }
}

// The head computes in f32 whatever the blocks do: it is two columns wide, and the loss sees it.
template <class Linear>
void head_forward(const PassOf<Linear>& pass, const Tensor& x, const Tensor& head_input,
                  const Tensor& logits) {
  if (x.dtype != DType::kF32) ops::convert(x, head_input);  // [T,H]
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
  if (!wide) ops::convert(dhead, dx);                                      // [T,H]
  pass.arena.release(mark);
}

}  // namespace

EncoderShape encoder_shape(const ModelConfig& config) {
  const ops::Activation activation =
      ops::parse_activation(config.hidden_act, ErrorCode::kBadModel, "config.json");
  return {.hidden = config.hidden_size,
          .inner = config.intermediate_size,
          .heads = config.num_attention_heads,
          .norm_eps = static_cast<float>(config.layer_norm_eps),
          .activation = activation};
}

EncoderActivations allocate_encoder(ActivationArena& arena, const EncoderShape& shape, DType dtype,
                                    int64_t tokens, size_t blocks) {
  EncoderActivations a;
  if (blocks == 0) {
    a.embedded = arena.allocate(dtype, tokens, shape.hidden);
    a.blocks.push_back(allocate_passing_block(arena, shape, a.embedded));
    a.embedding_norm = a.blocks.back().output_norm;
  } else {
    a.embedding_norm = allocate_norm(arena, dtype, tokens, shape.hidden);
    a.embedded = arena.allocate(dtype, tokens, shape.hidden);
    for (size_t i = 0; i < blocks; ++i) {
      a.blocks.push_back(allocate_block(arena, shape, dtype, tokens));
    }
  }
  a.head_input =
      dtype == DType::kF32 ? a.blocks.back().out : arena.allocate<float>(tokens, shape.hidden);
  return a;
}

template <class Linear>
void encoder_forward(const PassOf<Linear>& pass, const EncoderActivations& a, const Tensor& logits) {
  const BlockContext context{.shape = pass.shape,
                             .cu_seqlens = pass.batch.cu_seqlens,
                             .dropout = pass.dropout,
                             .scratch = pass.arena,
                             .observer = pass.observer};
  embeddings_forward(pass, a);
  Tensor x = a.embedded;
  for (size_t layer = 0; layer < pass.weights.blocks.size(); ++layer) {
    block_forward(context, static_cast<int32_t>(layer), pass.weights.blocks[layer], x,
                  a.block(layer));
    x = a.block(layer).out;
  }
  head_forward(pass, x, a.head_input, logits);
}
template void encoder_forward(const Pass&, const EncoderActivations&, const Tensor&);
template void encoder_forward(const AnsweringPass&, const EncoderActivations&, const Tensor&);

void encoder_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dlogits,
                      int32_t padding_row, bool add_to_matrices,
                      const ModelParts<Tensor>& gradients) {
  const BlockContext context{pass.shape, pass.batch.cu_seqlens, pass.dropout, pass.arena,
                             add_to_matrices};
  const size_t mark = pass.arena.mark();
  const Tensor dx = pass.arena.allocate(a.embedded.dtype, dlogits.rows, pass.shape.hidden);
  head_backward(pass, a.head_input, dlogits, dx, add_to_matrices, gradients);
  for (size_t layer = pass.weights.blocks.size(); layer-- > 0;) {
    const Tensor& x = layer == 0 ? a.embedded : a.block(layer - 1).out;
    block_backward(context, static_cast<int32_t>(layer), pass.weights.blocks[layer], x,
                   a.block(layer), dx, gradients.blocks[layer]);
  }
  embeddings_backward(pass, a, dx, padding_row, gradients);
  pass.arena.release(mark);
}

}  // namespace spanforge
