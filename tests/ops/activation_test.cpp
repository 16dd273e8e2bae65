#include "spanforge/ops/activation.h"

#include <algorithm>
#include <cmath>

#include "ops/reference.h"

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

constexpr Activation kAll[] = {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu};

double reference(Activation activation, double x) {
  switch (activation) {
    case Activation::kGelu: return 0.5 * x * std::erfc(-x * M_SQRT1_2);
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::kRelu: return x > 0 ? x : 0;
  }
  return 0;
}

double slope(Activation activation, double x) {
  if (activation == Activation::kRelu) return x > 0 ? 1 : 0;
  constexpr double kStep = 1e-5;
  return (reference(activation, x + kStep) - reference(activation, x - kStep)) / (2 * kStep);
}

// Distance in units in the last place of the wanted float.
double ulps(float got, double wanted) {
  const float nearest = static_cast<float>(wanted);
  const double unit = std::max(std::nextafter(std::abs(nearest), INFINITY) - std::abs(nearest),
                               std::numeric_limits<float>::min() * 0x1p-23f);
  return std::abs(got - wanted) / unit;
}

TEST(Activation, ParsesNamesOfHf) {
  const auto parse = [](const char* name, ErrorCode code = ErrorCode::kBadModel) {
    return parse_activation(name, code, {.file = "config.json"});
  };
  EXPECT_EQ(parse("gelu"), Activation::kGelu);
  EXPECT_EQ(parse("gelu_new"), Activation::kGeluTanh);
  EXPECT_EQ(parse("gelu_pytorch_tanh"), Activation::kGeluTanh);
  EXPECT_EQ(parse("relu"), Activation::kRelu);
  for (const ErrorCode code : {ErrorCode::kBadModel, ErrorCode::kUsage}) {
    const Error error = testing::expect_error(code, [&] { parse("swish", code); });
    EXPECT_EQ(error.file(), "config.json");
    EXPECT_NE(error.reason().find("hidden_act is \"swish\""), std::string::npos);
  }
}

TEST(Activation, IsAccurateToAFewUnitsInTheLastPlace) {
  Matrix points(1, 0);
  for (double x = -14; x <= 14; x += 1.0 / 512) points.values.push_back(x);
  for (double x = 1e-30; x < 1; x *= 1.7) {
    points.values.push_back(x);
    points.values.push_back(-x);
  }
  points.cols = static_cast<int64_t>(points.values.size());
  const Buffer bias(DType::kF32, Matrix(1, points.cols));
  for_each_target([&](const std::string& target) {
    // Far out in the tail the exponent's rounding matters; in the exact form a fused multiply-add
    // changes it.
    const bool fused = !target.starts_with("SSE");
    for (const Activation activation : kAll) {
      const Buffer x(DType::kF32, points), y(DType::kF32, 1, points.cols);
      bias_activation(x, bias, activation, y);
      int64_t in_ulps = 0;
      for (int64_t i = 0; i < points.cols; ++i) {
        const float at = x.tensor().as<float>()[i];
        const double wanted = reference(activation, at);
        const float got = y.tensor().as<float>()[i];
        // In the reference, tanh's form cancels for negative x.
        const bool relative = activation != Activation::kGeluTanh || at > -4;
        if (relative && std::abs(wanted) > 1e-36) {
          ++in_ulps;
          const double far = activation == Activation::kGelu && fused ? 8 : 64;
          ASSERT_LE(ulps(got, wanted), at > -1 ? 6 : far)
              << "x " << at << " got " << got << " wanted " << wanted;
        } else {
          ASSERT_NEAR(got, wanted, 1e-6) << "x " << at;
        }
      }
      EXPECT_GT(in_ulps, points.cols / 4);
    }
  });
}

TEST(Activation, HasItsLimitsAtExtremes) {
  for_each_target([&](const std::string&) {
    for (const Activation activation : kAll) {
      Matrix points(1, 6);
      points.values = {-1e30, 1e30, -100, 100, 0, -INFINITY};
      const Buffer x(DType::kF32, points), y(DType::kF32, 1, 6), bias(DType::kF32, Matrix(1, 6));
      bias_activation(x, bias, activation, y);
      EXPECT_EQ(y.matrix()(0, 0), 0.0);
      EXPECT_FLOAT_EQ(static_cast<float>(y.matrix()(0, 1)), 1e30f);
      EXPECT_EQ(y.matrix()(0, 2), 0.0);
      EXPECT_EQ(y.matrix()(0, 3), 100.0);
      EXPECT_EQ(y.matrix()(0, 4), 0.0);
      Matrix nan(1, 3);
      nan.values = {std::nan(""), 1, 2};
      const Buffer xn(DType::kF32, nan), yn(DType::kF32, 1, 3), bn(DType::kF32, Matrix(1, 3));
      bias_activation(xn, bn, activation, yn);
      EXPECT_TRUE(std::isnan(yn.matrix()(0, 0)));
    }
  });
}

TEST(Activation, EqualsReferenceForwardAndBackwardOnAwkwardShapes) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : awkward_lengths()) {
        for (const Activation activation : kAll) {
          SCOPED_TRACE(std::string(dtype_name(dtype)) + " n " + std::to_string(n) + " activation " +
                       std::to_string(static_cast<int>(activation)));
          CounterStream stream(seed + static_cast<uint64_t>(n));
          const int64_t rows = n % 2 == 0 ? 3 : 35;
          const Matrix x = rounded(random_matrix(stream, rows, n, 2), dtype);
          const Matrix bias = rounded(random_matrix(stream, 1, n), DType::kF32);
          const Matrix dy = rounded(random_matrix(stream, rows, n), dtype);
          const Matrix dbias_before = rounded(random_matrix(stream, 1, n), DType::kF32);
          const Buffer xb(dtype, x, n % 3, 1), bb(DType::kF32, bias, 0, 1), y(dtype, rows, n, 2, 1);
          bias_activation(xb, bb, activation, y);
          Matrix z(rows, n);
          for (int64_t t = 0; t < rows; ++t) {
            for (int64_t j = 0; j < n; ++j) z(t, j) = x(t, j) + bias(0, j);
          }
          const double tolerance = dtype == DType::kBF16 ? 0x1p-7 : 1e-5;
          expect_near(xb.matrix(), z, tolerance * 0.1, tolerance, "z");
          Matrix wanted(rows, n), dx(rows, n), dbias = dbias_before;
          z = xb.matrix();
          for (int64_t t = 0; t < rows; ++t) {
            for (int64_t j = 0; j < n; ++j) {
              wanted(t, j) = reference(activation, z(t, j));
              dx(t, j) = dy(t, j) * slope(activation, z(t, j));
              dbias(0, j) += dx(t, j);
            }
          }
          expect_near(y.matrix(), wanted, 1e-6, tolerance, "y");
          const Buffer dyb(dtype, dy, 1, 2), dbb(DType::kF32, dbias_before, 0, 1);
          bias_activation_backward(dyb, xb, activation, dyb, dbb);
          expect_near(dyb.matrix(), dx, 1e-5, tolerance, "dx");
          expect_near(dbb.matrix(), dbias, dtype == DType::kBF16 ? 0.05 : 1e-4, tolerance, "dbias");
          for (const Buffer* b : {&xb, &y, &dyb, &dbb}) b->check_padding();
          if (HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(Activation, WithoutABiasIsThatWithZeros) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      CounterStream stream(8);
      const Matrix values = rounded(random_matrix(stream, 5, 37), dtype);
      const Buffer x(dtype, values), with(dtype, values), y(dtype, 5, 37), y_with(dtype, 5, 37);
      const Buffer zeros(DType::kF32, Matrix(1, 37));
      bias_activation(x, Tensor{}, Activation::kGelu, y);
      bias_activation(with, zeros, Activation::kGelu, y_with);
      expect_same(y, y_with, "y");
      expect_same(x, with, "z");
    }
  });
}

TEST(Activation, GivesTheSameBitsOnAnyThreadCount) {
  CounterStream stream(5);
  const Buffer z(DType::kF32, random_matrix(stream, 700, 130));
  const Buffer dy(DType::kF32, random_matrix(stream, 700, 130));
  const Buffer dx1(DType::kF32, 700, 130), dx5(DType::kF32, 700, 130);
  const Buffer db1(DType::kF32, Matrix(1, 130)), db5(DType::kF32, Matrix(1, 130));
  with_threads(1, [&] { bias_activation_backward(dy, z, Activation::kGelu, dx1, db1); });
  with_threads(5, [&] { bias_activation_backward(dy, z, Activation::kGelu, dx5, db5); });
  expect_same(dx1, dx5, "dx");
  expect_same(db1, db5, "dbias");
}

TEST(GatedActivation, EqualsReferenceForwardAndBackwardOnAwkwardShapes) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : awkward_lengths()) {
        for (const Activation activation : kAll) {
          SCOPED_TRACE(std::string(dtype_name(dtype)) + " n " + std::to_string(n) + " activation " +
                       std::to_string(static_cast<int>(activation)));
          CounterStream stream(seed + static_cast<uint64_t>(n));
          const int64_t rows = n % 2 == 0 ? 3 : 35;
          const Matrix x = rounded(random_matrix(stream, rows, 2 * n, 2), dtype);
          const Matrix dy = rounded(random_matrix(stream, rows, n), dtype);
          Matrix y(rows, n), dx(rows, 2 * n);
          for (int64_t t = 0; t < rows; ++t) {
            for (int64_t j = 0; j < n; ++j) {
              const double u = x(t, j), g = x(t, n + j);
              y(t, j) = reference(activation, u) * g;
              dx(t, j) = dy(t, j) * g * slope(activation, u);
              dx(t, n + j) = dy(t, j) * reference(activation, u);
            }
          }
          const double tolerance = dtype == DType::kBF16 ? 0x1p-7 : 1e-5;
          const Buffer xb(dtype, x, n % 3, 1), yb(dtype, rows, n, 2, 1);
          gated_activation(xb, activation, yb);
          expect_near(yb.matrix(), y, 1e-6, tolerance, "y");
          const Buffer dyb(dtype, dy, 1, 2), dxb(dtype, rows, 2 * n, 1, 1);
          gated_activation_backward(dyb, xb, activation, dxb);
          expect_near(dxb.matrix(), dx, 1e-5, tolerance, "dx");
          expect_near(xb.matrix(), x, 0, 0, "x");
          for (const Buffer* b : {&yb, &dxb}) b->check_padding();
          if (HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(GatedActivation, RefusesShapesThatDoNotFit) {
  const Buffer x(DType::kF32, 2, 6), odd(DType::kF32, 2, 5), y(DType::kF32, 2, 3);
  const Buffer narrow(DType::kBF16, 2, 3), wide(DType::kF32, 2, 6);
  const auto refuses = [](const auto& call) { testing::expect_error(ErrorCode::kInternal, call); };
  refuses([&] { gated_activation(odd, Activation::kGelu, y); });
  refuses([&] { gated_activation(x, Activation::kGelu, narrow); });
  refuses([&] { gated_activation(x, Activation::kGelu, wide); });
  refuses([&] { gated_activation_backward(y, odd, Activation::kGelu, wide); });
  refuses([&] { gated_activation_backward(y, x, Activation::kGelu, y); });
  refuses([&] { gated_activation_backward(y, x, Activation::kGelu, x); });
}

TEST(Activation, RefusesShapesThatDoNotFit) {
  const Buffer x(DType::kF32, 2, 3), y(DType::kBF16, 2, 3), bias(DType::kF32, 1, 4);
  testing::expect_error(ErrorCode::kInternal,
                        [&] { bias_activation(x, bias, Activation::kRelu, x); });
  const Buffer good(DType::kF32, 1, 3);
  testing::expect_error(ErrorCode::kInternal,
                        [&] { bias_activation(x, good, Activation::kRelu, y); });
}

}  // namespace
}  // namespace spanforge::ops
