#pragma once
// One transformer block (Vaswani et al. 2017), forward and its mirror: attention, and a
// feed-forward half, plain or gated; each half's output is added to the residual stream and
// normalised. The norm behind a sum is also the one before what follows, so where norms stand makes
// one difference: the stream is what the norms give (NormPlace::kBehindSums), or what they are
// given (kBeforeBranches). Letters: T packed tokens, H hidden, A heads, F inner.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "spanforge/model/dropout_plan.h"
#include "spanforge/model/input_observer.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/model/relative.h"
#include "spanforge/ops/activation.h"
#include "spanforge/ops/layer_norm.h"
#include "spanforge/ops/rotary.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// How one layer attends.
struct LayerAttention {
  int32_t reach = -1;                               // as in ops::AttentionShape
  std::shared_ptr<const ops::RotaryAngles> angles;  // null: queries and keys are not rotated
};

// What the passes need to know of a model's configuration.
struct EncoderShape {
  int64_t hidden = 0;     // H
  int64_t inner = 0;      // F
  int32_t heads = 0;      // A
  int64_t embedding = 0;  // E, the embedding tables' width
  int32_t layers = 0;     // L
  float norm_eps = 0;
  ops::Activation activation = ops::Activation::kGelu;
  bool gated = false;
  NormPlace norms = NormPlace::kBehindSums;
  std::vector<LayerAttention> attention;                     // of each layer
  ops::Activation head_activation = ops::Activation::kGelu;  // of a head of several parts
  RelativeForm relative{};
  int32_t score_terms = 1;  // scores are divided by the root of the head's size times this

  int64_t intermediate() const { return gated ? 2 * inner : inner; }  // outputs of the layer
};

// What one block's forward pass leaves for its backward pass. Where none follows, tensors that are
// not needed at one time share their memory.
struct BlockActivations {
  Tensor qkv;  // [T,3H]
  ProjectedDistances distances;
  Tensor context;  // [T,H]
  Tensor lse;      // [A,T] f32
  ops::LayerNormSaved attention_norm;
  Tensor attention_out;  // [T,H]
  Tensor inner;          // [T,F] before the activation; gated [T,2F]
  Tensor activated;      // [T,F]
  ops::LayerNormSaved output_norm;
  Tensor out;  // [T,H]
};

// dtype: of activations, f32 or bf16.
BlockActivations allocate_block(ActivationArena& arena, const EncoderShape& shape, DType dtype,
                                int64_t tokens);
// For passes without a backward: every block overwrites x, its input, by its output.
BlockActivations allocate_passing_block(ActivationArena& arena, const EncoderShape& shape,
                                        const Tensor& x);
ops::LayerNormSaved allocate_norm(ActivationArena& arena, DType dtype, int64_t tokens,
                                  int64_t hidden);

// What a block needs beside its weights and activations.
struct BlockContext {
  const EncoderShape& shape;
  std::span<const int32_t> cu_seqlens;
  const DropoutPlan& dropout;
  ActivationArena& scratch;  // given back before a function returns
  int32_t layer = 0;         // for the masks, and how it attends
  size_t block = 0;          // for the observer
  float adapter_scale = 1;
  std::span<const int32_t> distance_rows{};  // InputIds::distance_rows()
  RelativeActivations relative{};
  RelativeGradients drelative{};  // layers add to them
  // Backward: gradients of matrices are added to what is there, or overwrite it.
  bool add_to_matrices = true;
  bool wants_dx = true;                     // false: nothing before the block learns
  bool begins_at_stream = true;             // x is the residual stream itself, not a norm of it
  const InputObserver* observer = nullptr;  // of the forward pass
};

// Does anything learn but the norm behind the block, which may be the next one's?
bool learns_inside(const BlockPart<Tensor>& g);

// The residual stream behind a block.
const Tensor& stream_behind(const EncoderShape& shape, const BlockActivations& a);

// stream: the residual stream before the block, x itself or what x is the norm of. x may be a.out:
// it is read for the last time before a.out is written. Linear: one of the forms of linear_form.h.
template <class Linear>
void block_forward(const BlockContext& context, const BlockPart<Tensor, Linear>& w, const Tensor& x,
                   const Tensor& stream, const BlockActivations& a);

// Of a.out and of the stream behind the block dy and dstream are the gradients on entry, of x and
// of the stream before it on return, where they are wanted; dstream holds both where x is the
// stream. Where norms stand behind the sums, a.out is the stream, and the two are one tensor. g +=,
// matrices as the context says; what is empty in g is not computed.
void block_backward(const BlockContext& context, const BlockPart<Tensor>& w, const Tensor& x,
                    const BlockActivations& a, const Tensor& dy, const Tensor& dstream,
                    const BlockPart<Tensor>& g);

}  // namespace spanforge
