#include "spanforge/ops/optimizer.h"

#include <cmath>
#include <limits>

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
using spanforge::testing::with_threads;

TEST(AdamW, FollowsTheDefinitionOverManySteps) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const int64_t n : awkward_lengths()) {
      SCOPED_TRACE("n " + std::to_string(n));
      CounterStream stream(seed);
      Matrix p = random_matrix(stream, 1, n), m(1, n), v(1, n);
      const Buffer pb(DType::kF32, p, 0, 1), mb(DType::kF32, m), vb(DType::kF32, v, 0, 2);
      const Buffer shadow(DType::kBF16, 1, n, 0, 1);
      AdamWConstants c;
      c.lr = 1e-2;
      c.weight_decay = 0.1;
      c.gradient_scale = 0.5f;
      for (c.step = 1; c.step <= 5; ++c.step) {
        const Matrix g = testing::rounded(random_matrix(stream, 1, n), DType::kF32);
        const Buffer gb(DType::kF32, g, 0, 3);
        adamw(pb, gb, mb, vb, shadow, c);
        for (int64_t i = 0; i < n; ++i) {
          const double grad = g(0, i) * 0.5;
          m(0, i) += (1 - c.beta1) * (grad - m(0, i));
          v(0, i) = c.beta2 * v(0, i) + (1 - c.beta2) * grad * grad;
          const auto step = static_cast<double>(c.step);
          const double corrected_m = m(0, i) / (1 - std::pow(c.beta1, step));
          const double corrected_v = v(0, i) / (1 - std::pow(c.beta2, step));
          p(0, i) -= c.lr * c.weight_decay * p(0, i);
          p(0, i) -= c.lr * corrected_m / (std::sqrt(corrected_v) + c.eps);
        }
      }
      expect_near(pb.matrix(), p, 1e-6, 1e-6, "p");
      expect_near(mb.matrix(), m, 1e-6, 1e-6, "m");
      expect_near(vb.matrix(), v, 1e-6, 1e-6, "v");
      expect_same(Buffer(DType::kBF16, pb.matrix()), shadow, "shadow");
      for (const Buffer* b : {&pb, &mb, &vb, &shadow}) b->check_padding();
    }
  });
}

TEST(SumOfSquares, IsExactToDoubleAndTheSameOnAnyThreadCount) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : {0, 1, 5, 31, 33, 1000, 16384, 16385, 100000}) {
        CounterStream stream(static_cast<uint64_t>(n));
        const Buffer x(dtype, random_matrix(stream, 1, n), 0, 1);
        double wanted = 0;
        for (const double value : x.matrix().values) wanted += value * value;
        const double got = sum_of_squares(x);
        EXPECT_NEAR(got, wanted, 1e-12 * wanted);
        with_threads(1, [&] { EXPECT_EQ(sum_of_squares(x), got); });
        with_threads(5, [&] { EXPECT_EQ(sum_of_squares(x), got); });
      }
    }
  });
}

TEST(SumOfSquares, DoesNotOverflowF32) {
  Matrix large(1, 100);
  for (double& value : large.values) value = 1e30;
  EXPECT_NEAR(sum_of_squares(Buffer(DType::kF32, large)), 1e62, 1e56);
}

TEST(FirstNonFinite, FindsTheLowestIndex) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : {1, 17, 40, 40000}) {
        CounterStream stream(3);
        const Buffer x(dtype, random_matrix(stream, 1, n), 0, 1);
        EXPECT_EQ(first_non_finite(x), -1);
        testing::set_value(x, 0, n - 1, std::numeric_limits<double>::infinity());
        EXPECT_EQ(first_non_finite(x), n - 1);
        testing::set_value(x, 0, n / 2, std::nan(""));
        EXPECT_EQ(first_non_finite(x), n / 2);
        testing::set_value(x, 0, 0, -std::numeric_limits<double>::infinity());
        EXPECT_EQ(first_non_finite(x), 0);
      }
    }
    const Buffer matrix(DType::kF32, Matrix(4, 10), 3);
    testing::set_value(matrix, 2, 7, std::nan(""));
    EXPECT_EQ(first_non_finite(matrix), 27);
    const Buffer largest(DType::kF32, Matrix(1, 20));
    testing::set_value(largest, 0, 3, double{std::numeric_limits<float>::max()});
    EXPECT_EQ(first_non_finite(largest), -1);
    EXPECT_EQ(first_non_finite(Tensor{}), -1);
  });
}

TEST(Convert, RoundsAsTheScalarDefinitionDoes) {
  for_each_target([&](const std::string&) {
    for (const int64_t n : awkward_lengths()) {
      CounterStream stream(static_cast<uint64_t>(n) + 7);
      const Buffer x(DType::kF32, random_matrix(stream, 3, n), 5, 1);
      if (n > 4) {
        testing::set_value(x, 0, 0, std::nan(""));
        testing::set_value(x, 0, 1, std::numeric_limits<double>::infinity());
        testing::set_value(x, 0, 2, double{std::numeric_limits<float>::max()});
        testing::set_value(x, 0, 3, double{std::numeric_limits<float>::denorm_min()});
      }
      const Buffer narrow(DType::kBF16, 3, n, 2, 1), wide(DType::kF32, 3, n, 0, 1);
      convert(x, narrow);
      for (int64_t r = 0; r < 3; ++r) {
        for (int64_t c = 0; c < n; ++c) {
          ASSERT_EQ(narrow.tensor().row<bf16>(r)[c].bits, to_bf16(x.tensor().row<float>(r)[c]).bits)
              << x.tensor().row<float>(r)[c];
        }
      }
      convert(narrow, wide);
      expect_same(Buffer(DType::kBF16, wide.matrix()), Buffer(DType::kBF16, narrow.matrix()), "x");
      narrow.check_padding();
      wide.check_padding();
    }
  });
}

TEST(FillZero, LeavesTheRestAlone) {
  CounterStream stream(4);
  const Buffer x(DType::kF32, random_matrix(stream, 5, 9), 4, 2);
  fill_zero(x);
  for (const double value : x.matrix().values) EXPECT_EQ(value, 0.0);
  x.check_padding();
}

}  // namespace
}  // namespace spanforge::ops
