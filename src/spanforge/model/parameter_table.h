#pragma once
// The one list of a model's parameters, and where each lies in the flat arenas (weights, gradients,
// moments, bf16 shadow: all laid out alike).
// Order: reverse execution, head first, embeddings last, so that gradients become final from the
//   front of their arena to its back during a backward pass.
// Layout: every parameter begins at a multiple of kArenaAlignment elements, gaps stay zero; query,
//   key and value follow each other without a gap, so that they are one [3H,H] matrix to GEMM.

#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/model.h"

namespace spanforge {

constexpr int64_t kArenaAlignment = 32;  // elements: 64 bytes of bf16

// A matrix's place in an arena; a vector is [1,n].
struct Slot {
  int64_t offset = 0, rows = 0, cols = 0;  // elements
};

// The parts of a model, of Slots (where they lie) or of Tensors (views of one arena).
template <class T>
struct LinearPart {
  T weight, bias;  // [out,in], [1,out]
};
template <class T>
struct NormPart {
  T gamma, beta;  // [1,H]
};
template <class T>
struct BlockPart {
  LinearPart<T> qkv;               // [3H,H]
  LinearPart<T> attention_output;  // [H,H]
  NormPart<T> attention_norm;
  LinearPart<T> intermediate;  // [F,H]
  LinearPart<T> output;        // [H,F]
  NormPart<T> output_norm;
};
template <class T>
struct ModelParts {
  std::vector<T> embeddings;  // [rows,H], in the order of EncoderSpec::embeddings
  NormPart<T> embedding_norm;
  std::vector<BlockPart<T>> blocks;
  LinearPart<T> head;  // [2,H]
};

struct ParameterTable {
  std::vector<Parameter> rows;
  ModelParts<Slot> parts;
  int64_t arena_size = 0;       // elements, gaps included
  int64_t parameter_count = 0;  // elements, without gaps
  size_t head_rows = 0;         // the first rows are the head's: the only ones that may be made new
};

ParameterTable build_parameter_table(const EncoderSpec& spec, const ModelConfig& config);

// Views of arenas laid out by `table`. gemm_weights, where not empty, is the bf16 shadow that the
// blocks' matrices are cut from; everything else is cut from `arena` (f32).
ModelParts<Tensor> bind_parts(const ParameterTable& table, const Tensor& arena,
                              const Tensor& gemm_weights);

// The parameter's own view of a flat arena, [rows, cols]; a vector is [1,n].
Tensor parameter_view(const Parameter& parameter, const Tensor& arena);

}  // namespace spanforge
