#pragma once
// Sum of embedding rows; tables are f32 [V,H].

#include <cstdint>
#include <span>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct EmbeddingTable {
  Tensor table;                  // [rows,H] f32
  std::span<const int32_t> ids;  // [T], each in [0, rows): checked, Error{kInternal} otherwise
};

// y[t] = sum over tables of table[ids[t]].
void embedding_sum(std::span<const EmbeddingTable> tables, const Tensor& y);  // [T,H] f32 or bf16

// dtable[ids[t]] += dy[t]. Each row adds in the order of t, so sums are equal on any thread count.
void embedding_backward(const Tensor& dy, std::span<const int32_t> ids, const Tensor& dtable);

}  // namespace spanforge::ops
