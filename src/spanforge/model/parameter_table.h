#pragma once
// The one list of a model's parameters, and where each lies in the flat arenas (weights, gradients,
// moments, bf16 shadow: all laid out alike).
// Order: what learns, then what is frozen; in both reverse execution, head first, embeddings last.
// So
//   gradients and optimiser states are an arena's first elements, and they become final from its
//   front to its back during a backward pass.
// Layout: every parameter begins at a multiple of kArenaAlignment elements, gaps stay zero; query,
//   key and value follow each other without a gap, so that they are one [3H,H] matrix to GEMM.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/model.h"

namespace spanforge {

constexpr int64_t kArenaAlignment = 32;  // elements: 64 bytes of bf16

// A matrix's place in an arena; a vector is [1,n]. Of what a model does not have, a bias say, the
// slot is empty, as its tensor is.
struct Slot {
  int64_t offset = 0, rows = 0, cols = 0;  // elements
  bool empty() const { return rows == 0; }
};

// The parts of a model, of Slots (where they lie) or of Tensors (views of one arena). Linear: what
// the blocks' linear layers are, where that is not one T a weight and a bias (linear_form.h).
template <class T>
struct LinearPart {
  T weight, bias;  // [out,in], [1,out]
};
template <class T>
struct NormPart {
  T gamma, beta;  // [1,n]
};
// LoRA beside one of the modules that a linear layer consists of (lora.h).
template <class T>
struct AdapterPart {
  T a, b;                    // [rank,in], [out,rank]
  int64_t first_output = 0;  // where the module's outputs begin in the layer's
  uint32_t site = 0;         // tells a block's adapters apart in their masks' keys
};
template <class T, class Linear = LinearPart<T>>
struct BlockPart {
  Linear qkv;                                           // [3H,H]
  Linear attention_output;                              // [H,H]
  NormPart<T> attention_norm;                           // behind the sum of attention's half
  Linear intermediate;                                  // [F,H], gated [2F,H]
  Linear output;                                        // [H,F]
  NormPart<T> output_norm;                              // behind the sum of the feed-forward half
  std::array<std::vector<AdapterPart<T>>, 4> adapters;  // by BlockLinear
  // By DistanceTerm: what projects the table of distances, [H,H], where query and key do not;
  // adapters beside it; and, in a model that answers only, what is projected, [R,H].
  std::array<LinearPart<T>, kDistanceTerms> distances;
  std::array<std::vector<AdapterPart<T>>, kDistanceTerms> distance_adapters;
  std::array<T, kDistanceTerms> projected_distances;
};
// The table of terms by distance that all layers share (relative.h).
template <class T>
struct RelativePart {
  T table;           // [R,A], or [R,H] to be projected
  NormPart<T> norm;  // [1,H], of projected ones that have it
};
// Of a head of several parts, what stands before its last layer.
template <class T>
struct HeadTransformPart {
  LinearPart<T> dense;  // [H,H]
  NormPart<T> norm;
};
template <class T, class Linear = LinearPart<T>>
struct ModelParts {
  std::vector<T> embeddings;                // [rows,E], in the order of EncoderSpec::tables()
  NormPart<T> embedding_norm;               // [1,E]
  std::optional<LinearPart<T>> projection;  // [H,E]
  std::vector<AdapterPart<T>> projection_adapters;
  RelativePart<T> relative;                  // empty where there is none
  std::vector<BlockPart<T, Linear>> blocks;  // that have weights of their own
  std::optional<HeadTransformPart<T>> head_transform;
  LinearPart<T> head;  // [2,H]
};

template <class T, class Linear>
const Linear& linear_of(const BlockPart<T, Linear>& block, BlockLinear which) {
  const Linear* const all[kBlockLinears] = {&block.qkv, &block.attention_output,
                                            &block.intermediate, &block.output};
  return *all[static_cast<size_t>(which)];
}
template <class T, class Linear>
Linear& linear_of(BlockPart<T, Linear>& block, BlockLinear which) {
  return const_cast<Linear&>(linear_of(std::as_const(block), which));
}

// A model's parts made of another's, without adapters. plain(T) gives a U; linear(From, block,
// which) gives a To for each linear layer of the blocks.
template <class U, class To, class T, class From, class Plain, class Linear>
ModelParts<U, To> map_parts(const ModelParts<T, From>& from, const Plain& plain,
                            const Linear& linear) {
  const auto norm = [&](const NormPart<T>& part) {
    return NormPart<U>{plain(part.gamma), plain(part.beta)};
  };
  const auto matrix = [&](const LinearPart<T>& part) {
    return LinearPart<U>{plain(part.weight), plain(part.bias)};
  };
  ModelParts<U, To> to;
  for (const T& table : from.embeddings) to.embeddings.push_back(plain(table));
  to.embedding_norm = norm(from.embedding_norm);
  if (from.projection) to.projection = matrix(*from.projection);
  to.relative = {plain(from.relative.table), norm(from.relative.norm)};
  for (size_t i = 0; i < from.blocks.size(); ++i) {
    const BlockPart<T, From>& block = from.blocks[i];
    BlockPart<U, To>& made = to.blocks.emplace_back();
    for (const BlockLinear which : kAllBlockLinears) {
      linear_of(made, which) = linear(linear_of(block, which), i, which);
    }
    made.attention_norm = norm(block.attention_norm);
    made.output_norm = norm(block.output_norm);
    for (size_t term = 0; term < kDistanceTerms; ++term) {
      made.distances[term] = matrix(block.distances[term]);
    }
  }
  if (from.head_transform) {
    to.head_transform = {matrix(from.head_transform->dense), norm(from.head_transform->norm)};
  }
  to.head = matrix(from.head);
  return to;
}

struct ParameterTable {
  std::vector<Parameter> rows;
  ModelParts<Slot> parts;
  int64_t arena_size = 0;       // elements, gaps included
  int64_t trainable_size = 0;   // of the first elements that learn, gaps included
  int64_t parameter_count = 0;  // elements, without gaps
  size_t head_rows = 0;         // the first rows are the head's: the only ones that may be made new
  // Where gradients end that are final behind the head's backward pass, and each block's.
  int64_t head_end = 0;
  std::vector<int64_t> block_ends;
  LoraConfig lora;  // its targets as module names
};

// Errors: Error{kUsage} for layers or targets that are not there.
ParameterTable build_parameter_table(const EncoderSpec& spec, const ModelConfig& config,
                                     const Learning& learning = {});

// Views of arenas laid out by `table`. gemm_weights, where not empty, is the bf16 shadow that the
// blocks' matrices are cut from; everything else is cut from `arena` (f32), as far as it goes: of
// an arena of gradients the views of frozen parts are empty.
ModelParts<Tensor> bind_parts(const ParameterTable& table, const Tensor& arena,
                              const Tensor& gemm_weights);

}  // namespace spanforge
