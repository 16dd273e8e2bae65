#pragma once
// One transformer block (Vaswani et al. 2017), forward and backward. It has an attention half and a
// feed-forward half, which may be gated. Each half's output is added to the residual stream, and
// the sum is normalised. The norm after one sum is also the norm before the next half. So the place
// of norms makes one difference: the stream is the norms' output (NormPlace::kBehindSums) or their
// input (kBeforeBranches). Letters: T packed tokens, H hidden, A heads, F inner.

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
  int32_t reach = -1;                               // see ops::AttentionShape
  std::shared_ptr<const ops::RotaryAngles> angles;  // null: queries and keys are not rotated
};

// What the passes need of a model's configuration.
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
  ops::Activation head_activation = ops::Activation::kGelu;  // for a head of several parts
  RelativeForm relative{};
  int32_t score_terms = 1;  // scores are divided by sqrt(head size * score_terms)

  int64_t intermediate() const { return gated ? 2 * inner : inner; }  // of the intermediate layer
};

// What one block's forward pass keeps for its backward pass. If none follows, tensors that are
// not needed at the same time share memory.
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

// dtype: of the activations, f32 or bf16.
BlockActivations allocate_block(ActivationArena& arena, const EncoderShape& shape, DType dtype,
                                int64_t tokens);
// For passes without a backward: every block overwrites x, its input, with its output.
BlockActivations allocate_passing_block(ActivationArena& arena, const EncoderShape& shape,
                                        const Tensor& x);
ops::LayerNormSaved allocate_norm(ActivationArena& arena, DType dtype, int64_t tokens,
                                  int64_t hidden);

// What a block needs in addition to its weights and activations.
struct BlockContext {
  const EncoderShape& shape;
  std::span<const int32_t> cu_seqlens;
  const DropoutPlan& dropout;
  ActivationArena& scratch;  // functions release what they take
  int32_t layer = 0;         // selects the dropout masks and LayerAttention
  size_t block = 0;          // for the observer
  float adapter_scale = 1;
  std::span<const int32_t> distance_rows{};  // InputIds::distance_rows()
  RelativeActivations relative{};
  RelativeGradients drelative{};  // layers add to them
  // Backward: true adds the gradients of matrices to the old ones, false overwrites those.
  bool add_to_matrices = true;
  bool wants_dx = true;                     // false: nothing before the block learns
  bool begins_at_stream = true;             // x is the residual stream itself, not a norm of it
  const InputObserver* observer = nullptr;  // of the forward pass
};

// True if anything learns except the norm after the block, which may be the next block's.
bool learns_inside(const BlockPart<Tensor>& g);

// The residual stream after a block.
const Tensor& stream_behind(const EncoderShape& shape, const BlockActivations& a);

// stream: the residual stream before the block. x is the stream or its norm. x may be a.out: the
// last read of x comes before the first write of a.out. Linear: a form of linear_form.h.
template <class Linear>
void block_forward(const BlockContext& context, const BlockPart<Tensor, Linear>& w, const Tensor& x,
                   const Tensor& stream, const BlockActivations& a);

// On entry, dy is the gradient of a.out, and dstream that of the stream after the block. On
// return, they are the gradients of x and of the stream before the block, if the context wants
// them. If x is the stream, dstream holds both. If norms come after the sums, a.out is the stream,
// and dy and dstream are one tensor. Adds to g; matrices as the context says. Does not compute what
// is empty in g.
void block_backward(const BlockContext& context, const BlockPart<Tensor>& w, const Tensor& x,
                    const BlockActivations& a, const Tensor& dy, const Tensor& dstream,
                    const BlockPart<Tensor>& g);

}  // namespace spanforge
