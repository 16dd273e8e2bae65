#include "spanforge/ops/layer_norm.h"

#include <algorithm>

#include "spanforge/ops/check.h"
#include "spanforge/ops/column_sums.h"
#include "spanforge/ops/layer_norm_kernel.h"
#include "spanforge/ops/runtime.h"

namespace spanforge::ops {
namespace {

constexpr const char* kForward = "bias_dropout_residual_layer_norm";
constexpr const char* kBackward = "bias_dropout_residual_layer_norm_backward";

template <class T>
void forward(const Tensor& x, const Tensor& bias, const Dropout& dropout, const Tensor& residual,
             const Tensor& gamma, const Tensor& beta, float eps, const LayerNormSaved& saved,
             const Tensor& y) {
  parallel_rows(x.rows, 4, x.cols, [&](int64_t begin, int64_t end) {
    LayerNormRow<T> row{};
    row.factors = scratch<float>(Scratch::kWorker, dropout_scratch(x.cols));
    row.n = x.cols;
    row.bias = bias.empty() ? nullptr : bias.as<float>();
    row.gamma = gamma.as<float>();
    row.beta = beta.empty() ? nullptr : beta.as<float>();
    row.eps = eps;
    for (int64_t t = begin; t < end; ++t) {
      row.x = x.row<T>(t);
      row.residual = residual.empty() ? nullptr : residual.row<T>(t);
      row.dropout = dropout_row(dropout, t);
      row.z = saved.z.row<T>(t);
      row.y = y.row<T>(t);
      row.mean = saved.mean.as<float>() + t;
      row.rstd = saved.rstd.as<float>() + t;
      layer_norm_kernel(row);
    }
  });
}

struct Gradients {
  const Tensor &dz, &dx, &dgamma, &dbeta, &dbias;
  bool add_to_dz;
};

template <class T>
void backward(const Tensor& dy, const LayerNormSaved& saved, const Dropout& dropout,
              const Tensor& gamma, const Gradients& out) {
  const int64_t rows = dy.rows;
  const int64_t n = dy.cols;
  const int64_t block = reduction_rows(rows);
  const int64_t blocks = (rows + block - 1) / block;
  // Each block of rows has its own sums: dgamma, dbeta and dbias.
  float* const partials = scratch<float>(Scratch::kPartials, 3 * blocks * n);
  const auto sums = [&](int64_t which, int64_t i) { return partials + (which * blocks + i) * n; };
  parallel_blocks(blocks, block * n, [&](int64_t i) {
    for (int64_t which = 0; which < 3; ++which) std::fill_n(sums(which, i), n, 0.0f);
    LayerNormGradientRow<T> row{};
    row.factors = scratch<float>(Scratch::kWorker, dropout_scratch(n));
    row.n = n;
    row.gamma = gamma.as<float>();
    row.dgamma = sums(0, i);
    row.dbeta = sums(1, i);
    row.add_to_dz = out.add_to_dz;
    row.dbias = out.dbias.empty() ? nullptr : sums(2, i);
    for (int64_t t = i * block; t < std::min(rows, (i + 1) * block); ++t) {
      row.dy = dy.row<T>(t);
      row.z = saved.z.row<T>(t);
      row.mean = saved.mean.as<float>()[t];
      row.rstd = saved.rstd.as<float>()[t];
      row.dropout = dropout_row(dropout, t);
      row.dz = out.dz.row<T>(t);
      row.dx = out.dx.empty() ? nullptr : out.dx.row<T>(t);
      layer_norm_backward_kernel(row);
    }
  });
  if (!out.dgamma.empty()) {
    add_partials(sums(0, 0), blocks, n, out.dgamma.as<float>());
  }
  if (!out.dbeta.empty()) add_partials(sums(1, 0), blocks, n, out.dbeta.as<float>());
  if (!out.dbias.empty()) add_partials(sums(2, 0), blocks, n, out.dbias.as<float>());
}

void check_saved(const char* op, const LayerNormSaved& saved, const Tensor& like) {
  require_matrix(op, "z", saved.z, like.rows, like.cols, like.dtype);
  require_vector(op, "mean", saved.mean, like.rows);
  require_vector(op, "rstd", saved.rstd, like.rows);
}

}  // namespace

void bias_dropout_residual_layer_norm(const Tensor& x, const Tensor& bias, const Dropout& dropout,
                                      const Tensor& residual, const Tensor& gamma,
                                      const Tensor& beta, float eps, const LayerNormSaved& saved,
                                      const Tensor& y) {
  require_float(kForward, "x", x);
  if (!bias.empty()) require_vector(kForward, "bias", bias, x.cols);
  if (!residual.empty()) {
    require_matrix(kForward, "residual", residual, x.rows, x.cols, x.dtype);
  }
  require_vector(kForward, "gamma", gamma, x.cols);
  if (!beta.empty()) require_vector(kForward, "beta", beta, x.cols);
  require_matrix(kForward, "y", y, x.rows, x.cols, x.dtype);
  check_saved(kForward, saved, x);
  require(kForward, x.empty() || saved.z.data != y.data, "z and y must not be one memory");
  require_dropout(kForward, dropout, x.rows);
  if (x.dtype == DType::kF32) {
    forward<float>(x, bias, dropout, residual, gamma, beta, eps, saved, y);
  } else {
    forward<bf16>(x, bias, dropout, residual, gamma, beta, eps, saved, y);
  }
}

void bias_dropout_residual_layer_norm_backward(const Tensor& dy, const LayerNormSaved& saved,
                                               const Dropout& dropout, const Tensor& gamma,
                                               const Tensor& dz, const Tensor& dx,
                                               const Tensor& dgamma, const Tensor& dbeta,
                                               const Tensor& dbias, bool add_to_dz) {
  require_float(kBackward, "dy", dy);
  check_saved(kBackward, saved, dy);
  require_vector(kBackward, "gamma", gamma, dy.cols);
  require_matrix(kBackward, "dz", dz, dy.rows, dy.cols, dy.dtype);
  if (!dx.empty()) require_matrix(kBackward, "dx", dx, dy.rows, dy.cols, dy.dtype);
  require(kBackward, !dropout.active() || !dx.empty() || dy.rows == 0,
          "with dropout dx differs from dz and needs memory");
  require(kBackward, dbeta.empty() || !dgamma.empty() || dy.cols == 0,
          "dbeta is wanted only where dgamma is");
  if (!dgamma.empty()) require_vector(kBackward, "dgamma", dgamma, dy.cols);
  if (!dbeta.empty()) require_vector(kBackward, "dbeta", dbeta, dy.cols);
  if (!dbias.empty()) require_vector(kBackward, "dbias", dbias, dy.cols);
  require_dropout(kBackward, dropout, dy.rows);
  require(kBackward, !add_to_dz || dy.empty() || dz.data != dy.data,
          "dz that is added to must not be dy");
  const Gradients out{dz, dx, dgamma, dbeta, dbias, add_to_dz};
  if (dy.dtype == DType::kF32) {
    backward<float>(dy, saved, dropout, gamma, out);
  } else {
    backward<bf16>(dy, saved, dropout, gamma, out);
  }
}

}  // namespace spanforge::ops
