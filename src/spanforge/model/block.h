#pragma once
// One post-norm transformer block (Vaswani et al. 2017 as in BERT), forward and its mirror.
// Letters: T packed tokens, H hidden, A heads, F inner.

#include <cstdint>
#include <functional>
#include <span>

#include "spanforge/model/dropout_plan.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/model/relative.h"
#include "spanforge/ops/activation.h"
#include "spanforge/ops/layer_norm.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

// What the passes need to know of a model's configuration.
struct EncoderShape {
  int64_t hidden = 0;     // H
  int64_t inner = 0;      // F
  int32_t heads = 0;      // A
  int64_t embedding = 0;  // E, the embedding tables' width
  int32_t layers = 0;     // L
  float norm_eps = 0;
  ops::Activation activation = ops::Activation::kGelu;
  RelativeForm relative{};
  int32_t score_terms = 1;  // scores are divided by the root of the head's size times this
};

// What one block's forward pass leaves for its backward pass. Where none follows, tensors that are
// not needed at one time share their memory.
struct BlockActivations {
  Tensor qkv;      // [T,3H]
  ProjectedDistances distances;
  Tensor context;  // [T,H]
  Tensor lse;      // [A,T] f32
  ops::LayerNormSaved attention_norm;
  Tensor attention_out;  // [T,H]
  Tensor inner;          // [T,F] before the activation
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

// Sees the input of every linear layer of the blocks; block: whose weights it is multiplied by.
using InputObserver = std::function<void(size_t block, BlockLinear linear, const Tensor& x)>;

// What a block needs beside its weights and activations.
struct BlockContext {
  const EncoderShape& shape;
  std::span<const int32_t> cu_seqlens;
  const DropoutPlan& dropout;
  ActivationArena& scratch;  // given back before a function returns
  int32_t layer = 0;  // for the masks
  size_t block = 0;   // for the observer
  float adapter_scale = 1;
  std::span<const int32_t> distance_rows{};  // InputIds::distance_rows()
  RelativeActivations relative{};
  RelativeGradients drelative{};  // layers add to them
  // Backward: gradients of matrices are added to what is there, or overwrite it.
  bool add_to_matrices = true;
  bool wants_dx = true;  // false: nothing before the block learns
  const InputObserver* observer = nullptr;  // of the forward pass
};

// x may be a.out: it is read for the last time before a.out is written. Linear: one of the forms of
// linear_form.h.
template <class Linear>
void block_forward(const BlockContext& context, const BlockPart<Tensor, Linear>& w, const Tensor& x,
                   const BlockActivations& a);

// dy: gradient of a.out on entry, of x on return, where it is wanted. g +=, matrices as the context says;
// what is empty in g is not computed.
void block_backward(const BlockContext& context, const BlockPart<Tensor>& w, const Tensor& x,
                    const BlockActivations& a, const Tensor& dy, const BlockPart<Tensor>& g);

}  // namespace spanforge
