#pragma once
// The whole network: embeddings, blocks, question-answering head; forward and its mirror. Training and
// answering run the same forward pass, with linear layers of different forms (linear_form.h).
// Letters: T packed tokens, W windows, H hidden, L layers.

#include <vector>

#include "spanforge/features/packed_batch.h"
#include "spanforge/model/block.h"
#include "spanforge/model/linear_form.h"

namespace spanforge {

EncoderShape encoder_shape(const ModelConfig& config);

struct EncoderActivations {
  ops::LayerNormSaved embedding_norm;
  Tensor embedded;                       // [T,H]
  std::vector<BlockActivations> blocks;  // L of them, or one that every block overwrites
  Tensor head_input;                     // [T,H] f32; blocks' last output itself in f32

  const BlockActivations& block(size_t layer) const { return blocks[layer % blocks.size()]; }
};

// blocks: the number of layers when a backward pass follows, 0 when none does.
EncoderActivations allocate_encoder(ActivationArena& arena, const EncoderShape& shape, DType dtype,
                                    int64_t tokens, size_t blocks);

// A model's numbers and one batch to run through them.
template <class Linear>
struct PassOf {
  const EncoderSpec& spec;
  const EncoderShape& shape;
  const ModelParts<Tensor, Linear>& weights;
  const PackedBatch& batch;
  const DropoutPlan& dropout;
  ActivationArena& arena;
  const InputObserver* observer = nullptr;
};
using Pass = PassOf<LinearPart<Tensor>>;
using AnsweringPass = PassOf<ops::PackedLinear>;

template <class Linear>
void encoder_forward(const PassOf<Linear>& pass, const EncoderActivations& a,
                     const Tensor& logits);  // [T,2]

// gradients += those of the weights, given dlogits [T,2]; add_to_matrices: see BlockContext.
void encoder_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dlogits,
                      int32_t padding_row, bool add_to_matrices,
                      const ModelParts<Tensor>& gradients);

}  // namespace spanforge
