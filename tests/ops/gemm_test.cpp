#include "spanforge/ops/gemm.h"

#include <cmath>
#include <string>
#include <thread>

#include "ops/reference.h"
#include "spanforge/ops/instruction_sets.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/tile_gemm.h"
#include "spanforge/ops/tiles.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::Buffer;
using spanforge::testing::expect_error;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;
using spanforge::testing::with_threads;

Matrix transposed(const Matrix& m) {
  Matrix t(m.cols, m.rows);
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) t(c, r) = m(r, c);
  }
  return t;
}

// a x b, added to c.
Matrix multiply(const Matrix& a, const Matrix& b, Matrix c) {
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t k = 0; k < a.cols; ++k) {
      for (int64_t j = 0; j < b.cols; ++j) c(i, j) += a(i, k) * b(k, j);
    }
  }
  return c;
}

struct Dtypes {
  DType factors, result;
};
constexpr Dtypes kDtypes[] = {
    {DType::kF32, DType::kF32}, {DType::kBF16, DType::kF32}, {DType::kBF16, DType::kBF16}};

TEST(Gemm, EqualsReferenceForAllTranspositionsStridesAndDtypes) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  CounterStream stream(seed);
  struct Size {
    int64_t m, n, k;
  };
  for (const Size size : {Size{1, 1, 1}, Size{3, 2, 5}, Size{17, 33, 64}, Size{50, 65, 31},
                          Size{128, 96, 200}, Size{1, 130, 70}, Size{70, 2, 130}}) {
    for (const Dtypes dtypes : kDtypes) {
      for (int bits = 0; bits < 16; ++bits) {
        GemmOptions options;
        options.a = (bits & 1) != 0 ? Transpose::kYes : Transpose::kNo;
        options.b = (bits & 2) != 0 ? Transpose::kYes : Transpose::kNo;
        options.accumulate = (bits & 4) != 0;
        const int64_t padding = bits % 3 == 0 ? 0 : bits;
        SCOPED_TRACE("m " + std::to_string(size.m) + " n " + std::to_string(size.n) + " k " +
                     std::to_string(size.k) + " " + dtype_name(dtypes.factors) + " -> " +
                     dtype_name(dtypes.result) + " bits " + std::to_string(bits));
        const Matrix a = rounded(random_matrix(stream, size.m, size.k), dtypes.factors);
        const Matrix b = rounded(random_matrix(stream, size.k, size.n), dtypes.factors);
        const Matrix before = rounded(random_matrix(stream, size.m, size.n), dtypes.result);
        const Matrix bias = rounded(random_matrix(stream, 1, size.n), DType::kF32);
        const Buffer bias_buffer(DType::kF32, bias);
        Matrix wanted = options.accumulate ? before : Matrix(size.m, size.n);
        if ((bits & 8) != 0) {
          options.bias = bias_buffer;
          for (int64_t i = 0; i < size.m; ++i) {
            for (int64_t j = 0; j < size.n; ++j) wanted(i, j) += bias(0, j);
          }
        }
        wanted = multiply(a, b, wanted);
        const Buffer a_buffer(dtypes.factors, (bits & 1) != 0 ? transposed(a) : a, padding);
        const Buffer b_buffer(dtypes.factors, (bits & 2) != 0 ? transposed(b) : b, padding, 1);
        const Buffer c_buffer(dtypes.result, before, padding, 3);
        gemm(a_buffer, b_buffer, c_buffer, options);
        const double relative = dtypes.result == DType::kBF16 ? 0x1p-8 : 1e-6;
        // Sums of k products are rounded in f32; with a bf16 result, sums near zero are, too.
        const double scale = dtypes.result == DType::kBF16 ? 1e-3 : 2e-6;
        expect_near(c_buffer.matrix(), wanted, scale * std::sqrt(static_cast<double>(size.k) + 4),
                    relative, "c");
        c_buffer.check_padding();
        if (HasFatalFailure()) return;
      }
    }
  }
}

// Sizes larger than one kernel call: several blocks of K, many panels of either factor.
// body(a, b, options, c, wanted, limit): bf16 factors, f32 result.
template <class Body>
void for_products_cut_into_blocks(const Body& body) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  CounterStream stream(seed);
  struct Size {
    int64_t m, n, k;
  };
  for (const Size size : {Size{500, 450, 1290}, Size{40, 530, 2600}, Size{700, 33, 3000}}) {
    for (int bits = 0; bits < 8; ++bits) {
      GemmOptions options;
      options.a = (bits & 1) != 0 ? Transpose::kYes : Transpose::kNo;
      options.b = (bits & 2) != 0 ? Transpose::kYes : Transpose::kNo;
      options.accumulate = (bits & 4) != 0;
      SCOPED_TRACE("m " + std::to_string(size.m) + " bits " + std::to_string(bits));
      const Matrix a = rounded(random_matrix(stream, size.m, size.k), DType::kBF16);
      const Matrix b = rounded(random_matrix(stream, size.k, size.n), DType::kBF16);
      const Matrix before = rounded(random_matrix(stream, size.m, size.n), DType::kF32);
      const Matrix wanted = multiply(a, b, options.accumulate ? before : Matrix(size.m, size.n));
      const Buffer a_buffer(DType::kBF16, (bits & 1) != 0 ? transposed(a) : a, 1);
      const Buffer b_buffer(DType::kBF16, (bits & 2) != 0 ? transposed(b) : b, 5);
      const Buffer c(DType::kF32, before, 3);
      // Every product added rounds a sum of some sqrt(k) in f32.
      const double limit = 4e-6 * std::sqrt(static_cast<double>(size.k));
      body(a_buffer, b_buffer, options, c, wanted, limit);
      c.check_padding();
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(Gemm, EqualsReferenceWhereWorkIsCutIntoBlocks) {
  for (const int threads : {2, 5}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    for_products_cut_into_blocks([&](const Buffer& a, const Buffer& b, const GemmOptions& options,
                                     const Buffer& c, const Matrix& wanted, double limit) {
      with_threads(threads, [&] { gemm(a, b, c, options); });
      expect_near(c.matrix(), wanted, limit, 1e-5, "c");
    });
  }
}

// As gemm() does on a CPU with AMX. Others can run it, too.
TEST(TileGemm, EqualsReferenceWhereWorkIsCutIntoBlocks) {
  if (!has_bf16_tiles()) GTEST_SKIP() << "this CPU has no products of bf16";
  for (const int threads : {2, 5}) {
    SCOPED_TRACE(std::to_string(threads) + " threads");
    for_products_cut_into_blocks([&](const Buffer& a, const Buffer& b, const GemmOptions& options,
                                     const Buffer& c, const Matrix& wanted, double limit) {
      const Tensor& x = a;
      const Tensor& y = b;
      const Tensor& z = c;
      const bool a_flips = options.a == Transpose::kYes, b_flips = options.b == Transpose::kYes;
      with_threads(threads, [&] {
        tile_multiply({.a = {x.as<bf16>(), x.stride, !a_flips},
                       .b = {y.as<bf16>(), y.stride, b_flips},
                       .m = z.rows,
                       .n = z.cols,
                       .k = a_flips ? x.rows : x.cols,
                       .c = z.data,
                       .c_stride = z.stride,
                       .c_is_bf16 = false,
                       .bias = nullptr,
                       .accumulate = options.accumulate});
      });
      expect_near(c.matrix(), wanted, limit, 1e-5, "c");
    });
  }
}

TEST(Gemm, GivesBiasOrZeroWhenThereIsNothingToSum) {
  CounterStream stream(1);
  const Matrix bias = rounded(random_matrix(stream, 1, 7), DType::kF32);
  const Buffer bias_buffer(DType::kF32, bias);
  const Buffer a(DType::kF32, 3, 0);
  const Buffer b(DType::kF32, 0, 7);
  const Buffer c(DType::kF32, random_matrix(stream, 3, 7), 2);
  GemmOptions options;
  options.bias = bias_buffer;
  gemm(a, b, c, options);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < 7; ++j) EXPECT_EQ(c.matrix()(i, j), bias(0, j));
  }
  gemm(Buffer(DType::kF32, 0, 4), Buffer(DType::kF32, 4, 7), Buffer(DType::kF32, 0, 7));
}

TEST(Gemm, RepeatsBitForBit) {
  CounterStream stream(2);
  const Buffer a(DType::kF32, random_matrix(stream, 100, 300));
  const Buffer b(DType::kF32, random_matrix(stream, 300, 200));
  const Buffer first(DType::kF32, 100, 200);
  const Buffer second(DType::kF32, 100, 200);
  gemm(a, b, first);
  gemm(a, b, second);
  expect_same(first, second, "c");
}

TEST(Gemm, ServesSeveralThreadsAtOnce) {
  CounterStream stream(6);
  const Buffer a(DType::kBF16, random_matrix(stream, 60, 100));
  const Buffer b(DType::kBF16, random_matrix(stream, 100, 80));
  const Buffer wanted(DType::kF32, 60, 80);
  gemm(a, b, wanted);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int64_t rows = 1; rows <= 60; ++rows) {
        const Buffer c(DType::kF32, rows, 80);
        gemm(a.tensor().row_range(0, rows), b, c);
        Matrix top = wanted.matrix();
        top.rows = rows;
        expect_near(c.matrix(), top, 1e-4, 1e-5, "c");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Gemm, RefusesShapesAndDtypesThatDoNotFit) {
  const Buffer a(DType::kF32, 3, 4);
  const Buffer b(DType::kF32, 5, 6);
  const Buffer c(DType::kF32, 3, 6);
  const Error shapes = expect_error(ErrorCode::kInternal, [&] { gemm(a, b, c); });
  EXPECT_EQ(shapes.place().text(), "ops::gemm");
  EXPECT_NE(shapes.reason().find("[5,6]"), std::string::npos) << shapes.reason();
  expect_error(ErrorCode::kInternal, [&] { gemm(a, Buffer(DType::kBF16, 4, 6), c); });
  expect_error(ErrorCode::kInternal,
               [&] { gemm(a, Buffer(DType::kF32, 4, 6), Buffer(DType::kBF16, 3, 6)); });
  GemmOptions options;
  const Buffer bias(DType::kF32, 1, 5);
  options.bias = bias;
  expect_error(ErrorCode::kInternal, [&] { gemm(a, Buffer(DType::kF32, 4, 6), c, options); });
}

TEST(Linear, EqualsReferenceForwardAndBackward) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  CounterStream stream(seed);
  for (const DType dtype : {DType::kF32, DType::kBF16}) {
    for (const int64_t tokens : {1, 7, 40}) {
      SCOPED_TRACE(std::string(dtype_name(dtype)) + " T " + std::to_string(tokens));
      constexpr int64_t kIn = 24, kOut = 36;
      const Matrix x = rounded(random_matrix(stream, tokens, kIn), dtype);
      const Matrix w = rounded(random_matrix(stream, kOut, kIn, 0.2), dtype);
      const Matrix b = rounded(random_matrix(stream, 1, kOut), DType::kF32);
      const Matrix dy = rounded(random_matrix(stream, tokens, kOut), dtype);
      const Matrix dw_before = rounded(random_matrix(stream, kOut, kIn), DType::kF32);
      const Matrix db_before = rounded(random_matrix(stream, 1, kOut), DType::kF32);
      const Matrix dx_before = rounded(random_matrix(stream, tokens, kIn), dtype);
      Matrix y_wanted(tokens, kOut);
      Matrix db_wanted = db_before;
      for (int64_t t = 0; t < tokens; ++t) {
        for (int64_t j = 0; j < kOut; ++j) {
          y_wanted(t, j) = b(0, j);
          db_wanted(0, j) += dy(t, j);
        }
      }
      y_wanted = multiply(x, transposed(w), y_wanted);
      const double tolerance = dtype == DType::kBF16 ? 0x1p-8 : 1e-5;

      const Buffer xb(dtype, x, 5), wb(dtype, w), bb(DType::kF32, b), dyb(dtype, dy, 3);
      const Buffer y(dtype, tokens, kOut, 2);
      linear(xb, wb, bb, y);
      expect_near(y.matrix(), y_wanted, tolerance, tolerance, "y");

      const Buffer dw(DType::kF32, dw_before), db(DType::kF32, db_before), dx(dtype, dx_before);
      linear_backward(dyb, xb, wb, dx, dw, db, {.add_to_dx = true});
      expect_near(dx.matrix(), multiply(dy, w, dx_before), 2 * tolerance, tolerance, "dx");
      expect_near(dw.matrix(), multiply(transposed(dy), x, dw_before), 1e-4, 1e-5, "dweight");
      expect_near(db.matrix(), db_wanted, 1e-5, 1e-5, "dbias");
      linear_backward(dyb, xb, wb, dx, dw, Tensor{});
      expect_near(dx.matrix(), multiply(dy, w, Matrix(tokens, kIn)), tolerance, tolerance, "dx");
    }
  }
}

TEST(Bf16, RoundsToNearestEvenAndKeepsSpecialValues) {
  EXPECT_EQ(to_float(to_bf16(1.0f)), 1.0f);
  EXPECT_EQ(to_bf16(1.0f + 0x1p-8f).bits, to_bf16(1.0f).bits);  // a tie goes to even
  EXPECT_EQ(to_float(to_bf16(1.0f + 0x1.8p-7f)), 1.0f + 0x1p-6f);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::nanf("")))));
  EXPECT_TRUE(std::isinf(to_float(to_bf16(std::numeric_limits<float>::infinity()))));
}

TEST(InstructionSets, NamesWhatRunsHere) {
  EXPECT_FALSE(kernel_targets().empty());
  EXPECT_STRNE(instruction_set(), "");
}

}  // namespace
}  // namespace spanforge::ops
