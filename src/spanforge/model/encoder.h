#pragma once
// The whole network: embeddings, blocks and question-answering head; forward and backward. Training
// and answering run the same forward pass with different forms of linear layers (linear_form.h).
// Letters: T packed tokens, W windows, E width of the embeddings, H hidden, L layers.

#include <vector>

#include "spanforge/model/block.h"
#include "spanforge/model/input_ids.h"
#include "spanforge/model/linear_form.h"
#include "spanforge/model/relative.h"

namespace spanforge {

EncoderShape encoder_shape(const EncoderSpec& spec, const ModelConfig& config);

// Projects narrow embeddings to the blocks' width. Always in f32.
struct ProjectionActivations {
  Tensor input;   // [T,E]
  Tensor output;  // the embedded tokens, if the blocks compute in f32
};

// Always in f32. If the head has one layer, `input` is `hidden`. In f32, `hidden` is the blocks'
// last output itself.
struct HeadActivations {
  Tensor hidden;             // [T,H] from the blocks
  Tensor dense;              // of a head with several parts: before its activation
  ops::LayerNormSaved norm;  // of such a head
  Tensor input;              // [T,H] of the last layer
};

struct EncoderActivations {
  ops::LayerNormSaved embedding_norm;
  ProjectionActivations projection;      // empty if there is none
  Tensor embedded;                       // [T,H]
  RelativeActivations relative;          // empty if there is none
  std::vector<BlockActivations> blocks;  // L of them, or one that every block overwrites
  HeadActivations head;

  const BlockActivations& block(size_t layer) const { return blocks[layer % blocks.size()]; }
};

enum class Keeping { kForBackward, kNothing };

// A model's weights and one batch to run through them.
template <class Linear>
struct PassOf {
  const EncoderSpec& spec;
  const ModelConfig& config;
  const EncoderShape& shape;
  const ModelParts<Tensor, Linear>& weights;
  const InputIds& ids;
  std::span<const int32_t> cu_seqlens;
  const DropoutPlan& dropout;
  ActivationArena& arena;
  float adapter_scale = 1;
  const InputObserver* observer = nullptr;
};
using Pass = PassOf<LinearPart<Tensor>>;
using AnsweringPass = PassOf<ops::PackedLinear>;

template <class Linear>
EncoderActivations allocate_encoder(const PassOf<Linear>& pass, DType dtype, int64_t tokens,
                                    Keeping keeping);

template <class Linear>
void encoder_forward(const PassOf<Linear>& pass, const EncoderActivations& a,
                     const Tensor& logits);  // [T,2]

// Called when a part of a backward pass is done. block: its gradients are final; nullopt: the
// head's are.
using DoneObserver = std::function<void(std::optional<size_t> block)>;

// Adds the weights' gradients, given dlogits [T,2], to `gradients`. add_to_matrices: if false,
// the first contribution to a matrix overwrites it. Does not compute what is empty in `gradients`,
// nor anything before the first block that learns.
void encoder_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dlogits,
                      bool add_to_matrices, const ModelParts<Tensor>& gradients,
                      const DoneObserver& done = {});

}  // namespace spanforge
