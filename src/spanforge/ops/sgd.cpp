#include "spanforge/ops/sgd.h"

#include <algorithm>

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/update_kernel.h"

namespace spanforge::ops {
namespace {

// Rounded to f32 as torch does when it passes a Python float to an f32 kernel.
SgdFactors factors_of(const SgdConstants& c) {
  return {c.gradient_scale, static_cast<float>(c.weight_decay), static_cast<float>(-c.lr)};
}

}  // namespace

void sgd(const Tensor& param, const Tensor& grad, const Tensor& shadow,
         const SgdConstants& constants) {
  const int64_t n = param.cols;
  require_vector("sgd", "param", param, n);
  require_vector("sgd", "grad", grad, n);
  if (!shadow.empty()) require_matrix("sgd", "shadow", shadow, 1, n, DType::kBF16);
  if (n == 0) return;
  const SgdFactors factors = factors_of(constants);
  constexpr int64_t kBlock = 1 << 14;
  parallel_blocks((n + kBlock - 1) / kBlock, kBlock, [&](int64_t i) {
    const int64_t first = i * kBlock;
    sgd_kernel(param.as<float>() + first, grad.as<float>() + first,
               shadow.empty() ? nullptr : shadow.as<bf16>() + first, std::min(kBlock, n - first),
               factors);
  });
}

void sgd_rows(const Tensor& param, const Tensor& grad, std::span<const int32_t> rows,
              const SgdConstants& constants) {
  require_matrix("sgd_rows", "param", param, param.rows, param.cols, DType::kF32);
  require_matrix("sgd_rows", "grad", grad, param.rows, param.cols, DType::kF32);
  for (const int32_t row : rows) {
    require("sgd_rows", row >= 0 && row < param.rows, "a row is out of range");
  }
  const SgdFactors factors = factors_of(constants);
  parallel_rows(static_cast<int64_t>(rows.size()), 16, param.cols, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = rows[static_cast<size_t>(i)];
      sgd_kernel(param.row<float>(row), grad.row<float>(row), nullptr, param.cols, factors);
    }
  });
}

}  // namespace spanforge::ops
