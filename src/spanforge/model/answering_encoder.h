#pragma once
// The network for answering alone: no dropout, nothing kept for a backward pass, linear layers in
// the form that is fastest to predict with.
// Letters: T packed tokens, H hidden, F inner.

#include <functional>
#include <vector>

#include "spanforge/model/encoder.h"
#include "spanforge/ops/packed_linear.h"

namespace spanforge {

enum class BlockLinear : size_t { kQkv, kAttentionOutput, kIntermediate, kOutput };
constexpr size_t kBlockLinears = 4;
const char* block_linear_name(BlockLinear linear);  // "qkv", "attention_output", ...

struct AnsweringBlock {
  ops::PackedLinear linears[kBlockLinears];
  NormPart<Tensor> attention_norm, output_norm;

  const ops::PackedLinear& linear(BlockLinear which) const {
    return linears[static_cast<size_t>(which)];
  }
};
struct AnsweringParts {
  std::vector<Tensor> embeddings;  // in the order of EncoderSpec::embeddings
  NormPart<Tensor> embedding_norm;
  std::vector<AnsweringBlock> blocks;
  LinearPart<Tensor> head;  // f32
};

// Sees the input of every linear layer of the blocks.
using InputObserver = std::function<void(size_t layer, BlockLinear linear, const Tensor& x)>;

struct AnsweringPass {
  const EncoderSpec& spec;
  const EncoderShape& shape;
  const AnsweringParts& parts;
  const PackedBatch& batch;
  DType dtype;  // of activations
  ActivationArena& arena;
  const InputObserver* observer = nullptr;
};
void answering_forward(const AnsweringPass& pass, const Tensor& logits);  // [T,2]

}  // namespace spanforge
