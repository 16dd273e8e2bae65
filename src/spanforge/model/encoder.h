#pragma once
// The whole network: embeddings, blocks, question-answering head; forward and its mirror. Training
// and answering run the same forward pass, with linear layers of different forms (linear_form.h).
// Letters: T packed tokens, W windows, E width of the embeddings, H hidden, L layers.

#include <vector>

#include "spanforge/model/block.h"
#include "spanforge/model/input_ids.h"
#include "spanforge/model/linear_form.h"
#include "spanforge/model/relative.h"

namespace spanforge {

EncoderShape encoder_shape(const EncoderSpec& spec, const ModelConfig& config);

// Narrow embeddings on their way to the blocks' width, in f32 whatever the blocks compute in.
struct ProjectionActivations {
  Tensor input;   // [T,E]
  Tensor output;  // [T,H]; the embedded tokens themselves in f32
};

// In f32 whatever the blocks compute in. Where nothing stands between, `input` is `hidden`, which
// in f32 is the blocks' last output itself.
struct HeadActivations {
  Tensor hidden;             // [T,H] from the blocks
  Tensor dense;              // [T,H] of a head of several parts, before its activation
  ops::LayerNormSaved norm;  // of such a head
  Tensor input;              // [T,H] of the last layer
};

struct EncoderActivations {
  ops::LayerNormSaved embedding_norm;
  ProjectionActivations projection;      // empty where there is none
  Tensor embedded;                       // [T,H]
  RelativeActivations relative;          // empty where there is none
  std::vector<BlockActivations> blocks;  // L of them, or one that every block overwrites
  HeadActivations head;

  const BlockActivations& block(size_t layer) const { return blocks[layer % blocks.size()]; }
};

enum class Keeping { kForBackward, kNothing };

// A model's numbers and one batch to run through them.
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

// A part of a backward pass is done; block: whose gradients change no more, nullopt: the head's.
using DoneObserver = std::function<void(std::optional<size_t> block)>;

// gradients += those of the weights, given dlogits [T,2]; add_to_matrices: false lets the first
// contribution to a matrix overwrite what was there. What is empty in `gradients` is not computed,
// nor anything before the first block that learns.
void encoder_backward(const Pass& pass, const EncoderActivations& a, const Tensor& dlogits,
                      bool add_to_matrices, const ModelParts<Tensor>& gradients,
                      const DoneObserver& done = {});

}  // namespace spanforge
