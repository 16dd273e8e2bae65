#include "spanforge/ops/activation.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "spanforge/ops/activation_kernel.h"
#include "spanforge/ops/check.h"
#include "spanforge/ops/column_sums.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

template <class T>
void forward(const Tensor& x, const Tensor& bias, Activation activation, const Tensor& y) {
  parallel_rows(x.rows, 4, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      activation_kernel(activation, bias.empty() ? nullptr : bias.as<float>(), x.cols, x.row<T>(t),
                        y.row<T>(t));
    }
  });
}

template <class T>
void backward(const Tensor& dy, const Tensor& z, Activation activation, const Tensor& dx,
              const Tensor& dbias) {
  const int64_t rows = dy.rows;
  const int64_t n = dy.cols;
  const int64_t block = reduction_rows(rows);
  const int64_t blocks = (rows + block - 1) / block;
  float* const partials = scratch<float>(Scratch::kPartials, blocks * n);
  parallel_blocks(blocks, block * n, [&](int64_t i) {
    float* const sums = partials + i * n;
    std::fill_n(sums, n, 0.0f);
    for (int64_t t = i * block; t < std::min(rows, (i + 1) * block); ++t) {
      activation_backward_kernel(activation, dy.row<T>(t), z.row<T>(t), n, dx.row<T>(t), sums);
    }
  });
  if (!dbias.empty()) add_partials(partials, blocks, n, dbias.as<float>());
}

template <class T>
void gated_forward(const Tensor& x, Activation activation, const Tensor& y) {
  parallel_rows(y.rows, 4, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      gated_activation_kernel(activation, x.row<T>(t), x.row<T>(t) + y.cols, y.cols, y.row<T>(t));
    }
  });
}

template <class T>
void gated_backward(const Tensor& dy, const Tensor& x, Activation activation, const Tensor& dx) {
  const int64_t n = dy.cols;
  parallel_rows(dy.rows, 4, x.cols, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const T* const u = x.row<T>(t);
      T* const du = dx.row<T>(t);
      gated_activation_backward_kernel(activation, dy.row<T>(t), u, u + n, n, du, du + n);
    }
  });
}

}  // namespace

Activation parse_activation(std::string_view hf_name, ErrorCode code, const ErrorPlace& place,
                            std::string_view key) {
  if (const auto known = find_spelling<Activation>(hf_name)) return *known;
  std::string all = choices<Activation>(", ");
  all.replace(all.rfind(", "), 2, " and ");
  throw Error(code, place,
              fmt::format("{} is \"{}\"; {} are known", key, quote_for_message(hf_name), all));
}

void bias_activation(const Tensor& x, const Tensor& bias, Activation activation, const Tensor& y) {
  require_float("bias_activation", "x", x);
  if (!bias.empty()) require_vector("bias_activation", "bias", bias, x.cols);
  require_matrix("bias_activation", "y", y, x.rows, x.cols, x.dtype);
  if (x.dtype == DType::kF32) {
    forward<float>(x, bias, activation, y);
  } else {
    forward<bf16>(x, bias, activation, y);
  }
}

void bias_activation_backward(const Tensor& dy, const Tensor& z, Activation activation,
                              const Tensor& dx, const Tensor& dbias) {
  require_float("bias_activation_backward", "dy", dy);
  require_matrix("bias_activation_backward", "z", z, dy.rows, dy.cols, dy.dtype);
  require_matrix("bias_activation_backward", "dx", dx, dy.rows, dy.cols, dy.dtype);
  if (!dbias.empty()) require_vector("bias_activation_backward", "dbias", dbias, dy.cols);
  if (dy.dtype == DType::kF32) {
    backward<float>(dy, z, activation, dx, dbias);
  } else {
    backward<bf16>(dy, z, activation, dx, dbias);
  }
}

void gated_activation(const Tensor& x, Activation activation, const Tensor& y) {
  constexpr const char* kOp = "gated_activation";
  require_float(kOp, "x", x);
  require(kOp, x.cols % 2 == 0, "x has two halves");
  require_matrix(kOp, "x", x, x.rows, x.cols, x.dtype);
  require_matrix(kOp, "y", y, x.rows, x.cols / 2, x.dtype);
  if (x.dtype == DType::kF32) {
    gated_forward<float>(x, activation, y);
  } else {
    gated_forward<bf16>(x, activation, y);
  }
}

void gated_activation_backward(const Tensor& dy, const Tensor& x, Activation activation,
                               const Tensor& dx) {
  constexpr const char* kOp = "gated_activation_backward";
  require_float(kOp, "dy", dy);
  require_matrix(kOp, "dy", dy, dy.rows, dy.cols, dy.dtype);
  require_matrix(kOp, "x", x, dy.rows, 2 * dy.cols, dy.dtype);
  require_matrix(kOp, "dx", dx, dy.rows, 2 * dy.cols, dy.dtype);
  require(kOp, dx.empty() || dx.data != x.data, "x and dx must not be one memory");
  if (dy.dtype == DType::kF32) {
    gated_backward<float>(dy, x, activation, dx);
  } else {
    gated_backward<bf16>(dy, x, activation, dx);
  }
}

}  // namespace spanforge::ops
