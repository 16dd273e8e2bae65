#include "spanforge/ops/column_sums.h"

#include <algorithm>

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kColumnsSummed = 256;  // columns that a thread sums at a time

template <class T>
void add_sums(const Tensor& x, float* sums) {
  // Threads share columns, so one thread adds all rows of a column in order.
  parallel_rows(x.cols, kColumnsSummed, x.rows, [&](int64_t begin, int64_t end) {
    column_sums_kernel(x.row<T>(0) + begin, x.stride, x.rows, end - begin, sums + begin);
  });
}

}  // namespace

void add_column_sums(const Tensor& x, const Tensor& sums) {
  require_float("add_column_sums", "x", x);
  require_vector("add_column_sums", "sums", sums, x.cols);
  if (x.rows == 0) return;
  if (x.dtype == DType::kF32) {
    add_sums<float>(x, sums.as<float>());
  } else {
    add_sums<bf16>(x, sums.as<float>());
  }
}

void add_partials(const float* partials, int64_t blocks, int64_t n, float* sums) {
  parallel_rows(n, kColumnsSummed, blocks, [&](int64_t begin, int64_t end) {
    column_sums_kernel(partials + begin, n, blocks, end - begin, sums + begin);
  });
}

}  // namespace spanforge::ops
