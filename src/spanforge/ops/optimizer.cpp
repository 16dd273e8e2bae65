#include "spanforge/ops/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "spanforge/ops/check.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kBlock = kSumBlock;  // elements of a piece; pieces are summed in order

// Scalars are rounded to f32 as torch does when it passes a Python float to an f32 kernel.
AdamWFactors factors_of(const AdamWConstants& c) {
  const double step = static_cast<double>(c.step);
  const double correction1 = 1 - std::pow(c.beta1, step);
  const double correction2 = 1 - std::pow(c.beta2, step);
  AdamWFactors f;
  f.gradient_scale = c.gradient_scale;
  f.keep = static_cast<float>(1 - c.lr * c.weight_decay);
  f.one_minus_beta1 = static_cast<float>(1 - c.beta1);
  f.beta2 = static_cast<float>(c.beta2);
  f.one_minus_beta2 = static_cast<float>(1 - c.beta2);
  f.sqrt_correction2 = static_cast<float>(std::sqrt(correction2));
  f.eps = static_cast<float>(c.eps);
  f.negative_step = static_cast<float>(-(c.lr / correction1));
  return f;
}

// Calls body(row pointer, first column, count, piece index) for every piece of x.
template <class T, class Body>
void for_pieces(const Tensor& x, const Body& body) {
  const int64_t per_row = (x.cols + kBlock - 1) / kBlock;
  parallel_blocks(x.rows * per_row, std::min(kBlock, x.cols), [&](int64_t piece) {
    const int64_t row = piece / per_row;
    const int64_t first = piece % per_row * kBlock;
    body(x.row<T>(row) + first, row, first, std::min(kBlock, x.cols - first), piece);
  });
}

template <class T>
std::vector<double> piece_squares(const Tensor& x) {
  const int64_t per_row = (x.cols + kBlock - 1) / kBlock;
  std::vector<double> sums(static_cast<size_t>(x.rows * per_row));
  for_pieces<T>(x, [&](const T* data, int64_t, int64_t, int64_t n, int64_t piece) {
    sums[static_cast<size_t>(piece)] = sum_of_squares_kernel(data, n);
  });
  return sums;
}

template <class T>
double sum_pieces(const Tensor& x) {
  double total = 0;
  for (const double sum : piece_squares<T>(x)) total += sum;
  return total;
}

template <class T>
int64_t first_bad(const Tensor& x) {
  std::atomic<int64_t> bad_piece{INT64_MAX};
  for_pieces<T>(x, [&](const T* data, int64_t, int64_t, int64_t n, int64_t piece) {
    if (all_finite_kernel(data, n)) return;
    int64_t seen = bad_piece.load();
    while (piece < seen && !bad_piece.compare_exchange_weak(seen, piece)) {
    }
  });
  if (bad_piece == INT64_MAX) return -1;
  const int64_t per_row = (x.cols + kBlock - 1) / kBlock;
  const int64_t row = bad_piece / per_row;
  int64_t column = bad_piece % per_row * kBlock;
  while (all_finite_kernel(x.row<T>(row) + column, 1)) ++column;
  return row * x.cols + column;
}

// Calls body(row) for some rows of x, on all threads.
template <class Body>
void for_rows(const char* op, const Tensor& x, std::span<const int32_t> rows, const Body& body) {
  for (const int32_t row : rows) require(op, row >= 0 && row < x.rows, "a row is out of range");
  constexpr int64_t kAtOnce = 16;
  parallel_rows(static_cast<int64_t>(rows.size()), kAtOnce, x.cols,
                [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i < end; ++i) body(i, rows[static_cast<size_t>(i)]);
                });
}

}  // namespace

void adamw(const Tensor& param, const Tensor& grad, const Tensor& m, const Tensor& v,
           const Tensor& shadow, const AdamWConstants& constants) {
  const int64_t n = param.cols;
  require_vector("adamw", "param", param, n);
  require_vector("adamw", "grad", grad, n);
  require_vector("adamw", "m", m, n);
  require_vector("adamw", "v", v, n);
  if (!shadow.empty()) require_matrix("adamw", "shadow", shadow, 1, n, DType::kBF16);
  require("adamw", constants.step >= 1, "step is counted from 1");
  if (n == 0) return;
  const AdamWFactors factors = factors_of(constants);
  bf16* const rounded = shadow.empty() ? nullptr : shadow.as<bf16>();
  for_pieces<float>(param, [&](float* p, int64_t, int64_t first, int64_t count, int64_t) {
    adamw_kernel(p, grad.as<float>() + first, m.as<float>() + first, v.as<float>() + first,
                 rounded == nullptr ? nullptr : rounded + first, count, factors);
  });
}

void adamw_rows(const Tensor& param, const Tensor& grad, const Tensor& m, const Tensor& v,
                std::span<const int32_t> rows, const AdamWConstants& constants) {
  constexpr const char* kOp = "adamw_rows";
  require_matrix(kOp, "param", param, param.rows, param.cols, DType::kF32);
  require_matrix(kOp, "grad", grad, param.rows, param.cols, DType::kF32);
  require_matrix(kOp, "m", m, param.rows, param.cols, DType::kF32);
  require_matrix(kOp, "v", v, param.rows, param.cols, DType::kF32);
  require(kOp, constants.step >= 1, "step is counted from 1");
  const AdamWFactors factors = factors_of(constants);
  for_rows(kOp, param, rows, [&](int64_t, int64_t r) {
    adamw_kernel(param.row<float>(r), grad.row<float>(r), m.row<float>(r), v.row<float>(r), nullptr,
                 param.cols, factors);
  });
}

double sum_of_squares_rows(const Tensor& x, std::span<const int32_t> rows) {
  std::vector<double> sums(rows.size());
  for_rows("sum_of_squares_rows", x, rows, [&](int64_t i, int64_t r) {
    sums[static_cast<size_t>(i)] = sum_of_squares_kernel(x.row<float>(r), x.cols);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void fill_zero_rows(const Tensor& x, std::span<const int32_t> rows) {
  const size_t bytes = static_cast<size_t>(x.cols) * dtype_size(x.dtype);
  for_rows("fill_zero_rows", x, rows,
           [&](int64_t, int64_t r) { std::memset(x.row_range(r, 1).data, 0, bytes); });
}

void scale_rows(const Tensor& x, std::span<const int32_t> rows, float factor) {
  for_rows("scale_rows", x, rows,
           [&](int64_t, int64_t r) { scale_kernel(x.row<float>(r), x.cols, factor); });
}

double sum_of_squares(const Tensor& x) {
  require_float("sum_of_squares", "x", x);
  if (x.empty()) return 0;
  return x.dtype == DType::kF32 ? sum_pieces<float>(x) : sum_pieces<bf16>(x);
}

std::vector<double> block_squares(const Tensor& x) {
  require_vector("block_squares", "x", x, x.cols);
  return x.empty() ? std::vector<double>() : piece_squares<float>(x);
}

void fill_zero(const Tensor& x) {
  if (x.empty()) return;
  const size_t row_bytes = static_cast<size_t>(x.cols) * dtype_size(x.dtype);
  if (x.rows == 1 || x.contiguous()) {
    const size_t bytes = row_bytes * static_cast<size_t>(x.rows);
    constexpr size_t kPiece = size_t{1} << 18;
    parallel_blocks(static_cast<int64_t>((bytes + kPiece - 1) / kPiece), kPiece, [&](int64_t i) {
      const size_t begin = static_cast<size_t>(i) * kPiece;
      std::memset(static_cast<std::byte*>(x.data) + begin, 0, std::min(kPiece, bytes - begin));
    });
    return;
  }
  for (int64_t r = 0; r < x.rows; ++r) std::memset(x.row_range(r, 1).data, 0, row_bytes);
}

void convert(const Tensor& from, const Tensor& to) {
  require_float("convert", "from", from);
  require_float("convert", "to", to);
  require_matrix("convert", "to", to, from.rows, from.cols, to.dtype);
  if (from.empty()) return;
  if (from.dtype == to.dtype) {
    const size_t bytes = static_cast<size_t>(from.cols) * dtype_size(from.dtype);
    parallel_blocks(from.rows, from.cols, [&](int64_t r) {
      std::memmove(to.row_range(r, 1).data, from.row_range(r, 1).data, bytes);
    });
  } else if (from.dtype == DType::kF32) {
    for_pieces<float>(from, [&](const float* data, int64_t row, int64_t first, int64_t n, int64_t) {
      convert_kernel(data, to.row<bf16>(row) + first, n);
    });
  } else {
    for_pieces<bf16>(from, [&](const bf16* data, int64_t row, int64_t first, int64_t n, int64_t) {
      convert_kernel(data, to.row<float>(row) + first, n);
    });
  }
}

int64_t first_non_finite(const Tensor& x) {
  require_float("first_non_finite", "x", x);
  if (x.empty()) return -1;
  return x.dtype == DType::kF32 ? first_bad<float>(x) : first_bad<bf16>(x);
}

}  // namespace spanforge::ops
