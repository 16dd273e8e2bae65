#include "spanforge/ops/linear.h"

#include "spanforge/ops/check.h"
#include "spanforge/ops/column_sums.h"
#include "spanforge/ops/gemm.h"

namespace spanforge::ops {

void linear(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& y) {
  GemmOptions options;
  options.b = Transpose::kYes;
  options.bias = bias;
  gemm(x, weight, y, options);
}

void linear_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& dx,
                     const Tensor& dweight, const Tensor& dbias,
                     const LinearBackwardOptions& options) {
  if (!dbias.empty()) add_column_sums(dy, dbias);
  if (!dweight.empty()) {
    require_matrix("linear_backward", "dweight", dweight, dy.cols, x.cols, DType::kF32);
    GemmOptions weight_options;
    weight_options.a = Transpose::kYes;
    weight_options.accumulate = options.add_to_dweight;
    gemm(dy, x, dweight, weight_options);
  }
  if (dx.empty()) return;
  GemmOptions input_options;
  input_options.accumulate = options.add_to_dx;
  gemm(dy, weight, dx, input_options);
}

}  // namespace spanforge::ops
