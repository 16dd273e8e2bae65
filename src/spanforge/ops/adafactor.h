#pragma once
// One step of transformers.optimization.Adafactor (4.57) with an external learning rate
// (scale_parameter and relative_step false, no first moment), of one parameter.
//
// The squared gradients of a matrix [R,C] are kept as the means of their rows and of their columns:
//   b = 1 - step^decay_rate,  G = (scale * grad)^2 + eps
//   row[i] = b row[i] + (1-b) mean_j G[i,j]          col[j] = b col[j] + (1-b) mean_i G[i,j]
//   U[i,j] = scale * grad[i,j] / sqrt(row[i] / mean(row)) / sqrt(col[j])
// of a vector each by itself: v[j] = b v[j] + (1-b) G[j], U[j] = scale * grad[j] / sqrt(v[j]). Then
//   p = p - lr * weight_decay * p - lr * U / max(1, rms(U) / clip_threshold)
// rms receives the root mean square of p before the step: torch keeps it in its state.
//
// A step needs the whole parameter: means and rms(U) run over all of it. Sums are in double, over
// fixed blocks of rows: the same on any number of threads.

#include <cstdint>
#include <span>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct AdafactorConstants {
  double lr = 0, weight_decay = 0;
  double eps = 1e-30, clip_threshold = 1.0, decay_rate = -0.8;
  int64_t step = 1;          // counted from 1
  float gradient_scale = 1;  // clip factor folded in
};

// param, grad [R,C], row [1,R], col [1,C], rms [1,1]; shadow ([R,C] bf16 or empty) receives the
// rounded new p.
void adafactor(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
               const Tensor& rms, const Tensor& shadow, const AdafactorConstants& constants);

// The same where only `rows`, each named once, have gradients other than zero (an embedding). The
// others count in every mean and decay; their gradients must be zeros.
void adafactor_rows(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
                    const Tensor& rms, std::span<const int32_t> rows,
                    const AdafactorConstants& constants);

// param, grad, v [1,n], rms [1,1].
void adafactor_vector(const Tensor& param, const Tensor& grad, const Tensor& v, const Tensor& rms,
                      const AdafactorConstants& constants);

}  // namespace spanforge::ops
