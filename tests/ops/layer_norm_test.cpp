#include "spanforge/ops/layer_norm.h"

#include <cmath>

#include "ops/reference.h"
#include "spanforge/ops/dropout_apply.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::awkward_lengths;
using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::for_each_target;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;
using spanforge::testing::with_threads;

constexpr double kEps = 1e-12;

double keep_factor(const Dropout& dropout, int64_t row, int64_t column) {
  if (!dropout.active()) return 1;
  const uint64_t key = dropout.row_keys[static_cast<size_t>(row)];
  return dropout_keeps(dropout, key, static_cast<uint32_t>(column)) ? 1 / (1 - double{dropout.p})
                                                                    : 0;
}

struct LayerNormCase {
  Matrix x, bias, residual, gamma, beta;
  Dropout dropout;
};

Matrix reference_z(const LayerNormCase& c) {
  Matrix z(c.x.rows, c.x.cols);
  for (int64_t t = 0; t < z.rows; ++t) {
    for (int64_t j = 0; j < z.cols; ++j) {
      z(t, j) = (c.x(t, j) + c.bias(0, j)) * keep_factor(c.dropout, t, j) + c.residual(t, j);
    }
  }
  return z;
}

Matrix normalise(const Matrix& z, const Matrix& gamma, const Matrix& beta) {
  Matrix y(z.rows, z.cols);
  for (int64_t t = 0; t < z.rows; ++t) {
    double mean = 0, variance = 0;
    for (int64_t j = 0; j < z.cols; ++j) mean += z(t, j) / static_cast<double>(z.cols);
    for (int64_t j = 0; j < z.cols; ++j) {
      variance += (z(t, j) - mean) * (z(t, j) - mean) / static_cast<double>(z.cols);
    }
    for (int64_t j = 0; j < z.cols; ++j) {
      y(t, j) = (z(t, j) - mean) / std::sqrt(variance + kEps) * gamma(0, j) + beta(0, j);
    }
  }
  return y;
}

LayerNormCase random_case(CounterStream& stream, int64_t rows, int64_t n, DType dtype,
                          std::vector<uint64_t>& keys, float p, double mean = 0) {
  LayerNormCase c;
  c.x = rounded(random_matrix(stream, rows, n, 1, mean), dtype);
  c.bias = rounded(random_matrix(stream, 1, n), DType::kF32);
  c.residual = rounded(random_matrix(stream, rows, n), dtype);
  c.gamma = rounded(random_matrix(stream, 1, n, 0.3, 1), DType::kF32);
  c.beta = rounded(random_matrix(stream, 1, n), DType::kF32);
  for (int64_t t = 0; t < rows; ++t) keys.push_back(mix64(static_cast<uint64_t>(t) + 99));
  c.dropout = {p, 0x123456789abcdefull, keys};
  return c;
}

TEST(LayerNorm, EqualsReferenceForwardOnAwkwardShapes) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : awkward_lengths()) {
        if (n < 2) continue;  // one column: the variance is zero
        SCOPED_TRACE(std::string(dtype_name(dtype)) + " n " + std::to_string(n));
        CounterStream stream(seed + static_cast<uint64_t>(n));
        std::vector<uint64_t> keys;
        const LayerNormCase c = random_case(stream, 9, n, dtype, keys, n % 2 == 0 ? 0.0f : 0.3f);
        const Buffer x(dtype, c.x, 3, 1), bias(DType::kF32, c.bias, 0, 1);
        const Buffer residual(dtype, c.residual, n % 4), z(dtype, 9, n, 2, 1), y(dtype, 9, n, 1);
        const Buffer gamma(DType::kF32, c.gamma), beta(DType::kF32, c.beta);
        const Buffer mean(DType::kF32, 1, 9), rstd(DType::kF32, 1, 9);
        bias_dropout_residual_layer_norm(x, bias, c.dropout, residual, gamma, beta, kEps,
                                         {z, mean, rstd}, y);
        const double tolerance = dtype == DType::kBF16 ? 0x1p-7 : 2e-6;
        expect_near(z.matrix(), reference_z(c), tolerance, tolerance, "z");
        // With two columns close to each other, the variance is only rounding.
        const double slack = n < 4 ? 100 : 4;
        expect_near(y.matrix(), normalise(z.matrix(), c.gamma, c.beta), slack * tolerance,
                    slack * tolerance, "y");
        for (const Buffer* b : {&z, &y, &mean, &rstd}) b->check_padding();
        // In place, and without optional arguments.
        const Buffer in_place(dtype, c.x), none(DType::kF32, 1, 9);
        bias_dropout_residual_layer_norm(in_place, Tensor{}, Dropout{}, Tensor{}, gamma, beta, kEps,
                                         {z, mean, rstd}, in_place);
        expect_near(in_place.matrix(), normalise(c.x, c.gamma, c.beta), slack * tolerance,
                    slack * tolerance, "y alone");
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST(LayerNorm, SurvivesALargeMean) {
  for_each_target([&](const std::string&) {
    CounterStream stream(11);
    const int64_t n = 384;
    Matrix x = random_matrix(stream, 5, n, 1, 10000);
    x = rounded(x, DType::kF32);
    Matrix ones(1, n), zeros(1, n);
    for (double& value : ones.values) value = 1;
    const Buffer xb(DType::kF32, x), z(DType::kF32, 5, n), y(DType::kF32, 5, n);
    const Buffer gamma(DType::kF32, ones), beta(DType::kF32, zeros);
    const Buffer mean(DType::kF32, 1, 5), rstd(DType::kF32, 1, 5);
    bias_dropout_residual_layer_norm(xb, Tensor{}, Dropout{}, Tensor{}, gamma, beta, kEps,
                                     {z, mean, rstd}, y);
    expect_near(y.matrix(), normalise(x, ones, zeros), 1e-3, 1e-4, "y");
  });
}

TEST(LayerNorm, GivesBetaForConstantRows) {
  for_each_target([&](const std::string&) {
    const int64_t n = 40;
    Matrix x(2, n), ones(1, n), beta(1, n);
    for (double& value : x.values) value = 3.25;
    for (double& value : ones.values) value = 1;
    for (double& value : beta.values) value = 0.5;
    const Buffer xb(DType::kF32, x), z(DType::kF32, 2, n), y(DType::kF32, 2, n);
    const Buffer gamma(DType::kF32, ones), betab(DType::kF32, beta);
    const Buffer mean(DType::kF32, 1, 2), rstd(DType::kF32, 1, 2);
    bias_dropout_residual_layer_norm(xb, Tensor{}, Dropout{}, Tensor{}, gamma, betab, 1e-5f,
                                     {z, mean, rstd}, y);
    for (const double value : y.matrix().values) EXPECT_EQ(value, 0.5);
  });
}

// Gradients by central differences of sum(dy * LN(...)) in double.
struct Differences {
  Matrix dz, dx, dgamma, dbeta, dbias;
};
Differences differentiate(const LayerNormCase& c, const Matrix& z, const Matrix& dy) {
  const int64_t rows = z.rows;
  const int64_t n = z.cols;
  constexpr double kStep = 1e-4;
  const auto objective = [&](const Matrix& at, const Matrix& gamma, const Matrix& beta) {
    const Matrix y = normalise(at, gamma, beta);
    double sum = 0;
    for (size_t i = 0; i < y.values.size(); ++i) sum += y.values[i] * dy.values[i];
    return sum;
  };
  const auto slope = [&](Matrix& of, size_t i, const auto& value) {
    const double before = of.values[i];
    of.values[i] = before + kStep;
    const double high = value();
    of.values[i] = before - kStep;
    const double low = value();
    of.values[i] = before;
    return (high - low) / (2 * kStep);
  };
  Differences d{Matrix(rows, n), Matrix(rows, n), Matrix(1, n), Matrix(1, n), Matrix(1, n)};
  Matrix at = z, gamma = c.gamma, beta = c.beta;
  const auto value = [&] { return objective(at, gamma, beta); };
  for (int64_t t = 0; t < rows; ++t) {
    for (int64_t j = 0; j < n; ++j) {
      d.dz(t, j) = slope(at, static_cast<size_t>(t * n + j), value);
      d.dx(t, j) = d.dz(t, j) * keep_factor(c.dropout, t, j);
      d.dbias(0, j) += d.dx(t, j);
    }
  }
  for (int64_t j = 0; j < n; ++j) {
    d.dgamma(0, j) = slope(gamma, static_cast<size_t>(j), value);
    d.dbeta(0, j) = slope(beta, static_cast<size_t>(j), value);
  }
  return d;
}

TEST(LayerNorm, BackwardEqualsFiniteDifferences) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : {4, 7, 16, 19, 33, 65}) {
        for (const float p : {0.0f, 0.25f}) {
          SCOPED_TRACE(std::string(dtype_name(dtype)) + " n " + std::to_string(n) + " p " +
                       std::to_string(p));
          constexpr int64_t kRows = 5;
          CounterStream stream(seed + static_cast<uint64_t>(n));
          std::vector<uint64_t> keys;
          const LayerNormCase c = random_case(stream, kRows, n, dtype, keys, p);
          const Matrix dy = rounded(random_matrix(stream, kRows, n), dtype);
          const Matrix start = rounded(random_matrix(stream, 1, n), DType::kF32);
          const Buffer x(dtype, c.x), bias(DType::kF32, c.bias), residual(dtype, c.residual);
          const Buffer z(dtype, kRows, n, 1), y(dtype, kRows, n), gamma(DType::kF32, c.gamma);
          const Buffer beta(DType::kF32, c.beta), mean(DType::kF32, 1, kRows);
          const Buffer rstd(DType::kF32, 1, kRows);
          const LayerNormSaved saved{z, mean, rstd};
          bias_dropout_residual_layer_norm(x, bias, c.dropout, residual, gamma, beta, kEps, saved,
                                           y);
          const Buffer dyb(dtype, dy, 2, 1), dx(dtype, kRows, n, 3, 1), dg(DType::kF32, start);
          const Buffer db(DType::kF32, start, 0, 1), dbias(DType::kF32, start);
          const bool drops = p > 0;
          // In place: dz over dy.
          bias_dropout_residual_layer_norm_backward(dyb, saved, c.dropout, gamma, dyb,
                                                    drops ? dx.tensor() : Tensor{}, dg, db, dbias);
          Differences wanted = differentiate(c, z.matrix(), dy);
          for (int64_t j = 0; j < n; ++j) {
            for (Matrix* m : {&wanted.dgamma, &wanted.dbeta, &wanted.dbias}) {
              (*m)(0, j) += start(0, j);
            }
          }
          const double tolerance = dtype == DType::kBF16 ? 0x1p-6 : 2e-5;
          expect_near(dyb.matrix(), wanted.dz, tolerance, tolerance, "dz");
          if (drops) expect_near(dx.matrix(), wanted.dx, tolerance, tolerance, "dx");
          expect_near(dg.matrix(), wanted.dgamma, 3e-5, 3e-5, "dgamma");
          expect_near(db.matrix(), wanted.dbeta, 3e-5, 3e-5, "dbeta");
          expect_near(dbias.matrix(), wanted.dbias, 3 * tolerance, tolerance, "dbias");
          for (const Buffer* b : {&dyb, &dx, &db}) b->check_padding();
          if (HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(LayerNorm, GivesTheSameBitsOnAnyThreadCount) {
  CounterStream stream(5);
  constexpr int64_t kRows = 600, kN = 72;
  std::vector<uint64_t> keys;
  const LayerNormCase c = random_case(stream, kRows, kN, DType::kF32, keys, 0.1f);
  const Buffer x(DType::kF32, c.x), gamma(DType::kF32, c.gamma), beta(DType::kF32, c.beta);
  const Buffer dy(DType::kF32, random_matrix(stream, kRows, kN));
  struct Result {
    Buffer z{DType::kF32, kRows, kN}, y{DType::kF32, kRows, kN}, dz{DType::kF32, kRows, kN},
        dx{DType::kF32, kRows, kN}, mean{DType::kF32, 1, kRows}, rstd{DType::kF32, 1, kRows},
        dgamma{DType::kF32, Matrix(1, kN)}, dbeta{DType::kF32, Matrix(1, kN)},
        dbias{DType::kF32, Matrix(1, kN)};
  };
  const auto run = [&](Result& r) {
    const LayerNormSaved saved{r.z, r.mean, r.rstd};
    bias_dropout_residual_layer_norm(x, Tensor{}, c.dropout, Tensor{}, gamma, beta, 1e-12f, saved,
                                     r.y);
    bias_dropout_residual_layer_norm_backward(dy, saved, c.dropout, gamma, r.dz, r.dx, r.dgamma,
                                              r.dbeta, r.dbias);
  };
  Result one, five;
  with_threads(1, [&] { run(one); });
  with_threads(5, [&] { run(five); });
  expect_same(one.y, five.y, "y");
  expect_same(one.dx, five.dx, "dx");
  expect_same(one.dgamma, five.dgamma, "dgamma");
  expect_same(one.dbeta, five.dbeta, "dbeta");
  expect_same(one.dbias, five.dbias, "dbias");
}

TEST(LayerNorm, HasNoBetaWhereThatIsEmpty) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      CounterStream stream(6);
      constexpr int64_t kRows = 7, kN = 45;
      std::vector<uint64_t> keys;
      const LayerNormCase c = random_case(stream, kRows, kN, dtype, keys, 0);
      const Buffer x(dtype, c.x), dy(dtype, c.residual), gamma(DType::kF32, c.gamma);
      const Buffer z(dtype, kRows, kN), mean(DType::kF32, 1, kRows), rstd(DType::kF32, 1, kRows);
      const LayerNormSaved saved{z, mean, rstd};
      const Buffer zero(DType::kF32, Matrix(1, kN)), with(dtype, kRows, kN), y(dtype, kRows, kN);
      bias_dropout_residual_layer_norm(x, Tensor{}, {}, Tensor{}, gamma, zero, 1e-5f, saved, with);
      bias_dropout_residual_layer_norm(x, Tensor{}, {}, Tensor{}, gamma, {}, 1e-5f, saved, y);
      expect_same(y, with, "y");
      const Buffer dz(dtype, kRows, kN), dz_with(dtype, kRows, kN);
      const Buffer dgamma(DType::kF32, c.beta), dgamma_with(DType::kF32, c.beta);
      const Buffer dbeta(DType::kF32, c.beta);
      bias_dropout_residual_layer_norm_backward(dy, saved, {}, gamma, dz, Tensor{}, dgamma,
                                                Tensor{}, Tensor{});
      bias_dropout_residual_layer_norm_backward(dy, saved, {}, gamma, dz_with, Tensor{},
                                                dgamma_with, dbeta, Tensor{});
      expect_same(dz, dz_with, "dz");
      expect_same(dgamma, dgamma_with, "dgamma");
      testing::expect_error(ErrorCode::kInternal, [&] {
        bias_dropout_residual_layer_norm_backward(dy, saved, {}, gamma, dz, Tensor{}, Tensor{},
                                                  dbeta, Tensor{});
      });
    }
  });
}

// As with norms before the branches: z also continues on another path, whose gradient is already
// in dz.
TEST(LayerNorm, AddsToTheGradientOfItsSource) {
  for_each_target([&](const std::string&) {
    CounterStream stream(7);
    constexpr int64_t kRows = 7, kN = 45;
    for (const float p : {0.0f, 0.25f}) {
      std::vector<uint64_t> keys;
      const LayerNormCase c = random_case(stream, kRows, kN, DType::kF32, keys, p);
      const Buffer x(DType::kF32, c.x), dy(DType::kF32, c.residual), gamma(DType::kF32, c.gamma);
      const Buffer z(DType::kF32, kRows, kN), mean(DType::kF32, 1, kRows),
          rstd(DType::kF32, 1, kRows), y(DType::kF32, kRows, kN);
      const LayerNormSaved saved{z, mean, rstd};
      bias_dropout_residual_layer_norm(x, Tensor{}, c.dropout, Tensor{}, gamma, {}, 1e-5f, saved,
                                       y);
      const Matrix before = random_matrix(stream, kRows, kN);
      const Buffer dz(DType::kF32, before), dx(DType::kF32, kRows, kN),
          dbias(DType::kF32, Matrix(1, kN));
      bias_dropout_residual_layer_norm_backward(dy, saved, c.dropout, gamma, dz, dx, Tensor{},
                                                Tensor{}, dbias, /*add_to_dz=*/true);
      const Buffer alone(DType::kF32, kRows, kN), dropped(DType::kF32, kRows, kN);
      bias_dropout_residual_layer_norm_backward(dy, saved, c.dropout, gamma, alone, dropped,
                                                Tensor{}, Tensor{}, Tensor{});
      Matrix wanted = alone.matrix(), sums(1, kN);
      for (int64_t t = 0; t < kRows; ++t) {
        for (int64_t j = 0; j < kN; ++j) {
          wanted(t, j) += before(t, j);
          sums(0, j) += dx.matrix()(t, j);
        }
      }
      expect_near(dz.matrix(), wanted, 1e-6, 1e-6, "dz");
      expect_near(dbias.matrix(), sums, 1e-5, 1e-5, "dbias");
      const Buffer of_wanted(DType::kF32, wanted), expected(DType::kF32, kRows, kN);
      if (c.dropout.active()) {
        apply_dropout(of_wanted, c.dropout, expected);
        expect_near(dx.matrix(), expected.matrix(), 1e-6, 1e-6, "dx");
      } else {
        expect_same(dx, dz, "dx");
      }
      testing::expect_error(ErrorCode::kInternal, [&] {
        bias_dropout_residual_layer_norm_backward(dy, saved, c.dropout, gamma, dy, dx, Tensor{},
                                                  Tensor{}, Tensor{}, /*add_to_dz=*/true);
      });
    }
  });
}

TEST(LayerNorm, RefusesDropoutWithoutMemoryForDx) {
  const Buffer m(DType::kF32, 2, 8), v(DType::kF32, 1, 8), row(DType::kF32, 1, 2);
  const std::vector<uint64_t> keys = {1, 2};
  const Dropout dropout{0.1f, 1, keys};
  testing::expect_error(ErrorCode::kInternal, [&] {
    bias_dropout_residual_layer_norm_backward(m, {m, row, row}, dropout, v, m, Tensor{}, v, v, v);
  });
}

}  // namespace
}  // namespace spanforge::ops
