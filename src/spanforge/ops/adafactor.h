#pragma once
// One step of transformers.optimization.Adafactor (4.57) for one parameter, with an external
// learning rate (scale_parameter and relative_step false, no first moment).
//
// Of the squared gradients of a matrix [R,C], only the means of rows and of columns are kept:
//   b = 1 - step^decay_rate,  G = (scale * grad)^2 + eps
//   row[i] = b row[i] + (1-b) mean_j G[i,j]          col[j] = b col[j] + (1-b) mean_i G[i,j]
//   U[i,j] = scale * grad[i,j] / sqrt(row[i] / mean(row)) / sqrt(col[j])
// For a vector they are kept whole: v[j] = b v[j] + (1-b) G[j], U[j] = scale * grad[j] /
// sqrt(v[j]). Then
//   p = p - lr * weight_decay * p - lr * U / max(1, rms(U) / clip_threshold)
// rms receives the root mean square of p before the step, because torch keeps it in its state.
//
// A step needs the whole parameter, because means and rms(U) are taken over all of it. Sums are in
// double over fixed blocks of rows, so they are the same on any number of threads.

#include <cstdint>
#include <span>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct AdafactorConstants {
  double lr = 0, weight_decay = 0;
  double eps = 1e-30, clip_threshold = 1.0, decay_rate = -0.8;
  int64_t step = 1;          // counted from 1
  float gradient_scale = 1;  // includes the clip factor
};

// param, grad [R,C], row [1,R], col [1,C], rms [1,1]; shadow ([R,C] bf16 or empty) receives the
// rounded new p.
void adafactor(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
               const Tensor& rms, const Tensor& shadow, const AdafactorConstants& constants);

// The same step if only `rows`, each listed once, have gradients other than zero (an embedding).
// All rows count in every mean and decay; the gradients of the others must be zeros.
void adafactor_rows(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
                    const Tensor& rms, std::span<const int32_t> rows,
                    const AdafactorConstants& constants);

// param, grad, v [1,n], rms [1,1].
void adafactor_vector(const Tensor& param, const Tensor& grad, const Tensor& v, const Tensor& rms,
                      const AdafactorConstants& constants);

}  // namespace spanforge::ops
