#pragma once
// The one list of a model's parameters, and the place of each in the flat arenas (weights,
// gradients, moments, bf16 shadow), which all have the same layout.
// Order: Parameters that learn come first, then the frozen ones. Both are in reverse order of
//   execution: the head first, embeddings last. So gradients and optimiser states are an arena's
//   first elements, and during a backward pass they become final from front to back.
// Layout: Every parameter begins at a multiple of kArenaAlignment elements; gaps stay zero. Query,
//   key and value follow each other without a gap, so that GEMM sees one [3H,H] matrix.

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

// A matrix's place in an arena; a vector is [1,n]. If a model does not have a parameter, e.g. a
// bias, its slot and its tensor are empty.
struct Slot {
  int64_t offset = 0, rows = 0, cols = 0;  // elements
  bool empty() const { return rows == 0; }
};

// The parts of a model, as Slots (places) or Tensors (views of one arena). Linear: the type of the
// blocks' linear layers, if it is not a weight and a bias (linear_form.h).
template <class T>
struct LinearPart {
  T weight, bias;  // [out,in], [1,out]
};
template <class T>
struct NormPart {
  T gamma, beta;  // [1,n]
};
// The LoRA adapter of one of the modules that a linear layer consists of (lora.h).
template <class T>
struct AdapterPart {
  T a, b;                    // [rank,in], [out,rank]
  int64_t first_output = 0;  // where the module's outputs begin among the layer's
  uint32_t site = 0;         // distinguishes a block's adapters in their masks' keys
};
template <class T, class Linear = LinearPart<T>>
struct BlockPart {
  Linear qkv;                                           // [3H,H]
  Linear attention_output;                              // [H,H]
  NormPart<T> attention_norm;                           // after the sum of attention's half
  Linear intermediate;                                  // [F,H], gated [2F,H]
  Linear output;                                        // [H,F]
  NormPart<T> output_norm;                              // after the sum of the feed-forward half
  std::array<std::vector<AdapterPart<T>>, 4> adapters;  // by BlockLinear
  // By DistanceTerm: the layers that project the table of distances, [H,H], if query and key do
  // not; their adapters; and, in a model that only answers, the projected table, [R,H].
  std::array<LinearPart<T>, kDistanceTerms> distances;
  std::array<std::vector<AdapterPart<T>>, kDistanceTerms> distance_adapters;
  std::array<T, kDistanceTerms> projected_distances;
};
// The table of terms by distance that all layers share (relative.h).
template <class T>
struct RelativePart {
  T table;           // [R,A], or [R,H] to be projected
  NormPart<T> norm;  // [1,H], if the projected rows have a norm
};
// What a head of several parts has before its last layer.
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
  RelativePart<T> relative;                  // empty if there is none
  std::vector<BlockPart<T, Linear>> blocks;  // those with their own weights
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

// Makes a model's parts from another's, without adapters. plain(T) returns a U; linear(From,
// block, which) returns a To for each linear layer of the blocks.
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
  int64_t trainable_size = 0;   // of the first elements, which learn; gaps included
  int64_t parameter_count = 0;  // elements, without gaps
  size_t head_rows = 0;         // the first rows are the head's; only they may be made new
  // Where the final gradients end after the head's backward pass, and after each block's.
  int64_t head_end = 0;
  std::vector<int64_t> block_ends;
  LoraConfig lora;  // targets are module names
};

// Errors: Error{kUsage} for layers or targets that do not exist.
ParameterTable build_parameter_table(const EncoderSpec& spec, const ModelConfig& config,
                                     const Learning& learning = {});

// Views of arenas with the layout of `table`. The blocks' matrices are views of gemm_weights,
// the bf16 shadow, if that is not empty. All else are views of `arena` (f32), as far as it goes: in
// an arena of gradients, the views of frozen parts are empty.
ModelParts<Tensor> bind_parts(const ParameterTable& table, const Tensor& arena,
                              const Tensor& gemm_weights);

}  // namespace spanforge
