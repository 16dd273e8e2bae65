#pragma once
// The gradients of one optimiser step: an f32 arena laid out as the parameters that learn are.
// Clearing it costs little: matrices keep old numbers until the next backward pass overwrites them,
// and of the embeddings only the rows are cleared whose tokens occurred.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/model/input_ids.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/tensor/arena.h"

namespace spanforge {

class GradientStore {
 public:
  // The table outlives this.
  GradientStore(std::vector<EmbeddingSpec> embeddings, const ParameterTable& table);

  const ModelParts<Tensor>& views() const { return views_; }  // of frozen parts empty
  // [1, n]: true zeros where no backward pass has been since clear().
  Tensor all();
  void clear();
  // To be called before a backward pass of a batch with these ids. Returns whether it must add to
  // matrices; if not, it must overwrite every one of them.
  bool begin_backward(const InputIds& ids);

  // The rows of an embedding whose gradients may be other than zero, ascending; none of a frozen
  // one.
  std::span<const int32_t> touched_rows(size_t embedding) const { return touched_[embedding].rows; }
  double sum_of_squares();  // of all gradients, in double

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
