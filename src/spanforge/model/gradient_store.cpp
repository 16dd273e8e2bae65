#include "spanforge/model/gradient_store.h"

#include <algorithm>

#include "spanforge/ops/optimizer.h"

namespace spanforge {

void GradientStore::RowSet::add(std::span<const int32_t> ids) {
  const size_t known = rows.size();
  for (const int32_t id : ids) {
    if (has[static_cast<size_t>(id)]) continue;
    has[static_cast<size_t>(id)] = true;
    rows.push_back(id);
  }
  if (rows.size() > known) std::sort(rows.begin(), rows.end());
}

void GradientStore::RowSet::clear() {
  for (const int32_t row : rows) has[static_cast<size_t>(row)] = false;
  rows.clear();
}

GradientStore::GradientStore(std::vector<EmbeddingSpec> embeddings, const ParameterTable& table)
    : embeddings_(std::move(embeddings)),
      table_(table),
      arena_(table.trainable_size * sizeof(float)) {
  views_ = bind_parts(table, flat(table.trainable_size), /*gemm_weights=*/{});
  dense_size_ = table.trainable_size;
  for (const Slot& slot : table.parts.embeddings) {
    touched_.push_back({std::vector<bool>(static_cast<size_t>(slot.rows)), {}});
    dense_size_ = std::min(dense_size_, slot.offset);
  }
}

Tensor GradientStore::flat(int64_t elements) const {
  return make_tensor(static_cast<void*>(arena_.data()), DType::kF32, 1, elements);
}

Tensor GradientStore::all() {
  if (matrices_are_old_) ops::fill_zero(flat(dense_size_));
  matrices_are_old_ = false;
  return flat(table_.trainable_size);
}

void GradientStore::clear() {
  for (const Parameter& parameter : table_.rows) {
    if (parameter.trainable && parameter.shape.size() == 1) {
      ops::fill_zero(parameter_view(parameter, flat(table_.trainable_size)));
    }
  }
  for (size_t i = 0; i < touched_.size(); ++i) {
    ops::fill_zero_rows(views_.embeddings[i], touched_[i].rows);
    touched_[i].clear();
  }
  matrices_are_old_ = true;
}

bool GradientStore::begin_backward(const InputIds& ids) {
  for (size_t i = 0; i < touched_.size(); ++i) {
    if (!views_.embeddings[i].empty()) touched_[i].add(ids.of(embeddings_[i].ids));
  }
  return !std::exchange(matrices_are_old_, false);
}

}  // namespace spanforge
