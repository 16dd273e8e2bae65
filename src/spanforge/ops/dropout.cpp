#include "spanforge/ops/dropout.h"

#include "spanforge/base/random.h"
#include "spanforge/ops/check.h"
#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/dropout_bits.h"
#include "spanforge/ops/layer_norm_kernel.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {

uint32_t dropout_word(uint64_t key, uint64_t row_key, uint32_t column) {
  const DropoutSlot slot = dropout_slot(column);
  const PhiloxBlock block =
      philox({slot.block, 0, static_cast<uint32_t>(row_key), static_cast<uint32_t>(row_key >> 32)},
             {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
  return block[slot.word];
}

bool dropout_keeps(const Dropout& dropout, uint64_t row_key, uint32_t column) {
  return dropout_word(dropout.key, row_key, column) >= dropout_threshold(dropout.p);
}

void require_dropout(const char* op, const Dropout& dropout, int64_t rows) {
  require(op, dropout.p >= 0.0f && dropout.p < 1.0f, "a dropout probability lies in [0, 1)");
  require(op, !dropout.active() || static_cast<int64_t>(dropout.row_keys.size()) == rows,
          "dropout needs a row key for each token");
}

namespace {
template <class T>
void apply(const Tensor& x, const Dropout& dropout, const Tensor& y) {
  parallel_rows(x.rows, 8, x.cols, [&](int64_t begin, int64_t end) {
    float* const factors = scratch<float>(Scratch::kWorker, dropout_scratch(x.cols));
    for (int64_t t = begin; t < end; ++t) {
      dropout_kernel(x.row<T>(t), dropout_row(dropout, t), x.cols, factors, y.row<T>(t));
    }
  });
}
}  // namespace

void apply_dropout(const Tensor& x, const Dropout& dropout, const Tensor& y) {
  require_float("apply_dropout", "x", x);
  require_matrix("apply_dropout", "y", y, x.rows, x.cols, x.dtype);
  require_dropout("apply_dropout", dropout, x.rows);
  if (!dropout.active()) {
    if (x.data != y.data) convert(x, y);
  } else if (x.dtype == DType::kF32) {
    apply<float>(x, dropout, y);
  } else {
    apply<bf16>(x, dropout, y);
  }
}

}  // namespace spanforge::ops
