#pragma once
// The gradients of one optimiser step: an f32 arena with the layout of the parameters that learn.
// Clearing costs little: matrices keep old numbers until the next backward pass overwrites them,
// and of the embeddings only the rows of tokens that occurred are cleared.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/model/input_ids.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

class GradientStore {
 public:
  // The table must outlive this.
  GradientStore(std::vector<EmbeddingSpec> embeddings, const ParameterTable& table);

  const ModelParts<Tensor>& views() const { return views_; }  // empty for frozen parts
  // [1, n]. Matrices are set to zero first if no backward pass ran since clear().
  Tensor all();
  void clear();
  // Call this before a backward pass of a batch with these ids. Returns whether the pass must add
  // to matrices; if not, it must overwrite every one of them.
  bool begin_backward(const InputIds& ids);

  // The rows of an embedding whose gradients may be other than zero, ascending; empty if it is
  // frozen.
  std::span<const int32_t> touched_rows(size_t embedding) const { return touched_[embedding].rows; }
  // Adds rows of a learning embedding to touched_rows().
  void touch_rows(size_t embedding, std::span<const int32_t> rows) {
    touched_[embedding].add(rows);
  }

 private:
  struct RowSet {
    std::vector<bool> has;
    std::vector<int32_t> rows;
    void add(std::span<const int32_t> ids);
    void clear();
  };
  Tensor flat(int64_t elements) const;

  std::vector<EmbeddingSpec> embeddings_;
  const ParameterTable& table_;
  Arena arena_;
  ModelParts<Tensor> views_;
  std::vector<RowSet> touched_;  // of each embedding
  int64_t dense_size_ = 0;       // elements before the first embedding
  bool matrices_are_old_ = false;
};

}  // namespace spanforge
