#include "spanforge/model/answering_encoder.h"

#include <cmath>

#include "spanforge/model/batch_ids.h"
#include "spanforge/ops/attention.h"
#include "spanforge/ops/embedding.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

const Tensor kNone;
const ops::Dropout kNoDropout;

// One block's memory; every block overwrites it.
struct Buffers {
  Tensor qkv;        // [T,3H]
  Tensor context;    // [T,H]
  Tensor lse;        // [A,T]
  Tensor branch;     // [T,H]
  Tensor attended;   // [T,H]
  Tensor activated;  // [T,F]
  ops::LayerNormSaved norm;
};

Buffers allocate_buffers(const AnsweringPass& pass, int64_t tokens) {
  const EncoderShape& s = pass.shape;
  ActivationArena& arena = pass.arena;
  return {.qkv = arena.allocate(pass.dtype, tokens, 3 * s.hidden),
          .context = arena.allocate(pass.dtype, tokens, s.hidden),
          .lse = arena.allocate<float>(s.heads, tokens),
          .branch = arena.allocate(pass.dtype, tokens, s.hidden),
          .attended = arena.allocate(pass.dtype, tokens, s.hidden),
          .activated = arena.allocate(pass.dtype, tokens, s.inner),
          .norm = allocate_norm(arena, pass.dtype, tokens, s.hidden)};
}

void embed(const AnsweringPass& pass, const Buffers& b, const Tensor& x) {
  std::vector<ops::EmbeddingTable> tables;
  for (size_t i = 0; i < pass.spec.embeddings.size(); ++i) {
    tables.push_back({pass.parts.embeddings[i], ids_of(pass.batch, pass.spec.embeddings[i].ids)});
  }
  const NormPart<Tensor>& norm = pass.parts.embedding_norm;
  ops::embedding_sum(tables, x);  // [T,H] embeddings.*
  ops::bias_dropout_residual_layer_norm(x, kNone, kNoDropout, kNone, norm.gamma, norm.beta,
                                        pass.shape.norm_eps, b.norm,
                                        x);  // [T,H] embeddings.LayerNorm
}

void run_block(const AnsweringPass& pass, size_t layer, const Buffers& b, const Tensor& x) {
  const EncoderShape& s = pass.shape;
  const AnsweringBlock& w = pass.parts.blocks[layer];
  const double head_size = static_cast<double>(s.hidden / s.heads);
  const ops::AttentionShape heads{.cu_seqlens = pass.batch.cu_seqlens,
                                  .heads = s.heads,
                                  .scale = static_cast<float>(1.0 / std::sqrt(head_size))};
  const auto linear = [&](BlockLinear which, const Tensor& input) -> const ops::PackedLinear& {
    if (pass.observer != nullptr) (*pass.observer)(layer, which, input);
    return w.linear(which);
  };
  linear(BlockLinear::kQkv, x)(x, b.qkv);  // [T,3H] attention.self.{query,key,value}
  ops::attention(b.qkv, heads, kNoDropout, b.context, b.lse);  // [T,H] attention.self
  linear(BlockLinear::kAttentionOutput, b.context)(b.context,
                                                   b.branch);  // [T,H] attention.output.dense
  ops::bias_dropout_residual_layer_norm(b.branch, kNone, kNoDropout, x, w.attention_norm.gamma,
                                        w.attention_norm.beta, s.norm_eps, b.norm,
                                        b.attended);  // [T,H] attention.output.LayerNorm
  linear(BlockLinear::kIntermediate, b.attended)(b.attended, s.activation,
                                                 b.activated);  // [T,F] intermediate
  linear(BlockLinear::kOutput, b.activated)(b.activated, b.branch);  // [T,H] output.dense
  ops::bias_dropout_residual_layer_norm(b.branch, kNone, kNoDropout, b.attended,
                                        w.output_norm.gamma, w.output_norm.beta, s.norm_eps,
                                        b.norm, x);  // [T,H] output.LayerNorm
}

}  // namespace

const char* block_linear_name(BlockLinear linear) {
  constexpr const char* kNames[] = {"qkv", "attention_output", "intermediate", "output"};
  return kNames[static_cast<size_t>(linear)];
}

void answering_forward(const AnsweringPass& pass, const Tensor& logits) {
  const int64_t tokens = pass.batch.token_count();
  const Tensor x = pass.arena.allocate(pass.dtype, tokens, pass.shape.hidden);
  const Buffers buffers = allocate_buffers(pass, tokens);
  embed(pass, buffers, x);
  for (size_t layer = 0; layer < pass.parts.blocks.size(); ++layer) {
    run_block(pass, layer, buffers, x);
  }
  Tensor head_input = x;
  if (pass.dtype != DType::kF32) {
    head_input = pass.arena.allocate<float>(tokens, pass.shape.hidden);
    ops::convert(x, head_input);  // [T,H]
  }
  ops::linear(head_input, pass.parts.head.weight, pass.parts.head.bias, logits);  // qa_outputs
}

}  // namespace spanforge
