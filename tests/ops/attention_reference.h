#pragma once
// Attention in plain double loops, with reach and terms by distance, forward and backward.

#include <cstdint>
#include <string>
#include <vector>

#include "ops/reference.h"
#include "spanforge/ops/attention.h"

namespace spanforge::testing {

struct AttentionProblem {
  std::vector<int32_t> cu_seqlens;
  int32_t heads = 1;
  int64_t head_size = 8;
  float p = 0;
  std::vector<uint64_t> dropout_keys;
  int32_t reach = -1;
  std::vector<int32_t> rows;     // of distances; empty: no terms
  Matrix keys, queries, biases;  // no rows: no such term

  int64_t tokens() const { return cu_seqlens.back(); }
  int64_t hidden() const { return heads * head_size; }
  ops::AttentionShape shape() const;  // without terms
  ops::Dropout dropout() const { return {p, 0xfeedbeefcafe, dropout_keys}; }
  std::string describe() const;
};

AttentionProblem make_attention_problem(const std::vector<int32_t>& lengths, int32_t heads,
                                        int64_t head_size, float p);

struct AttentionResults {
  Matrix out, lse;                        // of the forward
  Matrix dqkv, dkeys, dqueries, dbiases;  // of the backward
};
AttentionResults attention_reference(const AttentionProblem& problem, const Matrix& qkv,
                                     const Matrix& dout);

}  // namespace spanforge::testing
