#pragma once
// One-pass AdamW over flat f32 memory (torch.optim.AdamW, decoupled weight decay), and the norm for
// clipping. Blocks have a fixed size, so sums do not depend on the thread count.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct AdamWConstants {
  double lr = 0, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  int64_t step = 1;          // counted from 1, for bias correction
  float gradient_scale = 1;  // includes the clip factor
};

// p -= lr * wd * p; m, v updated; p -= lr * (m / bc1) / (sqrt(v / bc2) + eps), with torch's order
// of roundings. shadow ([1,n] bf16 or empty) receives the rounded new p.
void adamw(const Tensor& param, const Tensor& grad, const Tensor& m, const Tensor& v,
           const Tensor& shadow, const AdamWConstants& constants);

// The same for some rows of matrices [V,H], without a shadow (GEMM does not use embeddings).
void adamw_rows(const Tensor& param, const Tensor& grad, const Tensor& m, const Tensor& v,
                std::span<const int32_t> rows, const AdamWConstants& constants);

// The sum of squares in double, in a fixed order: sums of blocks of kSumBlock elements of a row are
// added up. block_squares gives these sums for a vector [1,n] in f32.
inline constexpr int64_t kSumBlock = 1 << 14;
double sum_of_squares(const Tensor& x);
std::vector<double> block_squares(const Tensor& x);
double sum_of_squares_rows(const Tensor& x, std::span<const int32_t> rows);  // f32
void fill_zero(const Tensor& x);
void fill_zero_rows(const Tensor& x, std::span<const int32_t> rows);
void scale_rows(const Tensor& x, std::span<const int32_t> rows, float factor);  // f32
void convert(const Tensor& from, const Tensor& to);  // f32 <-> bf16, same shape
// The index of the first NaN or Inf; -1 if there is none.
int64_t first_non_finite(const Tensor& x);

}  // namespace spanforge::ops
