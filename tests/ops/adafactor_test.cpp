#include "spanforge/ops/adafactor.h"

#include <algorithm>
#include <cmath>

#include "ops/reference.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::for_each_target;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;
using spanforge::testing::with_threads;

// The definition in adafactor.h by plain loops in double. A vector is a matrix of one row that is
// not factored.
struct Plain {
  Matrix p, row, col, v;
  double rms = 0;
  explicit Plain(const Matrix& start)
      : p(start), row(1, start.rows), col(1, start.cols), v(1, start.cols) {}

  void step(const Matrix& grad, bool factored, const AdafactorConstants& c) {
    const int64_t R = p.rows, C = p.cols;
    const auto size = static_cast<double>(R * C);
    const double b = 1 - std::pow(static_cast<double>(c.step), c.decay_rate);
    const auto G = [&](int64_t i, int64_t j) {
      return std::pow(grad(i, j) * c.gradient_scale, 2) + c.eps;
    };
    double sum = 0;
    for (const double value : p.values) sum += value * value;
    rms = std::sqrt(sum / size);
    Matrix update(R, C);
    if (factored) {
      double mean_of_rows = 0;
      for (int64_t i = 0; i < R; ++i) {
        double mean = 0;
        for (int64_t j = 0; j < C; ++j) mean += G(i, j) / static_cast<double>(C);
        row(0, i) = b * row(0, i) + (1 - b) * mean;
        mean_of_rows += row(0, i) / static_cast<double>(R);
      }
      for (int64_t j = 0; j < C; ++j) {
        double mean = 0;
        for (int64_t i = 0; i < R; ++i) mean += G(i, j) / static_cast<double>(R);
        col(0, j) = b * col(0, j) + (1 - b) * mean;
      }
      for (int64_t i = 0; i < R; ++i) {
        for (int64_t j = 0; j < C; ++j) {
          update(i, j) = grad(i, j) * c.gradient_scale / std::sqrt(row(0, i) / mean_of_rows) /
                         std::sqrt(col(0, j));
        }
      }
    } else {
      for (int64_t j = 0; j < C; ++j) {
        v(0, j) = b * v(0, j) + (1 - b) * G(0, j);
        update(0, j) = grad(0, j) * c.gradient_scale / std::sqrt(v(0, j));
      }
    }
    double squares = 0;
    for (const double value : update.values) squares += value * value;
    const double divisor = std::max(1.0, std::sqrt(squares / size) / c.clip_threshold);
    for (size_t i = 0; i < p.values.size(); ++i) {
      p.values[i] -= c.lr * c.weight_decay * p.values[i] + c.lr * update.values[i] / divisor;
    }
  }
};

// Gradients of different sizes from row to row, so that the factors matter.
Matrix gradient(CounterStream& stream, int64_t rows, int64_t cols) {
  Matrix g = random_matrix(stream, rows, cols);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) g(i, j) *= std::pow(10.0, static_cast<double>(i % 5) - 3);
  }
  return rounded(g, DType::kF32);
}

TEST(Adafactor, FollowsTheDefinitionOverManySteps) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const auto& [rows, cols] : {std::pair<int64_t, int64_t>{1, 1},
                                     {2, 3},
                                     {7, 16},
                                     {16, 17},
                                     {33, 40},
                                     {65, 31},
                                     {600, 33}}) {
      for (const double decay : {0.0, 0.1}) {
        SCOPED_TRACE(std::to_string(rows) + " x " + std::to_string(cols));
        CounterStream stream(seed);
        Plain plain(rounded(random_matrix(stream, rows, cols), DType::kF32));
        const Buffer p(DType::kF32, plain.p, 0, 1), row(DType::kF32, 1, rows, 0, 1),
            col(DType::kF32, 1, cols, 0, 2), rms(DType::kF32, 1, 1),
            shadow(DType::kBF16, rows, cols, 0, 1);
        for (const Buffer* zero : {&row, &col}) {
          for (int64_t i = 0; i < zero->tensor().cols; ++i) testing::set_value(*zero, 0, i, 0);
        }
        AdafactorConstants c{.lr = 1e-2, .weight_decay = decay, .gradient_scale = 0.5f};
        for (c.step = 1; c.step <= 5; ++c.step) {
          const Matrix g = gradient(stream, rows, cols);
          adafactor(p, Buffer(DType::kF32, g, 0, 3), row, col, rms, shadow, c);
          plain.step(g, true, c);
        }
        expect_near(p.matrix(), plain.p, 1e-6, 1e-6, "p");
        expect_near(row.matrix(), plain.row, 1e-12, 1e-6, "row");
        expect_near(col.matrix(), plain.col, 1e-12, 1e-6, "col");
        EXPECT_NEAR(testing::value_at(rms, 0, 0), plain.rms, 1e-6 * plain.rms);
        expect_same(Buffer(DType::kBF16, p.matrix()), shadow, "shadow");
        for (const Buffer* b : {&p, &row, &col, &rms, &shadow}) b->check_padding();
      }
    }
  });
}

TEST(AdafactorVector, FollowsTheDefinitionOverManySteps) {
  for_each_target([&](const std::string&) {
    for (const int64_t n : {1, 2, 15, 16, 17, 33, 1000}) {
      CounterStream stream(testing::test_seed());
      Plain plain(rounded(random_matrix(stream, 1, n), DType::kF32));
      const Buffer p(DType::kF32, plain.p, 0, 1), v(DType::kF32, Matrix(1, n), 0, 2),
          rms(DType::kF32, 1, 1);
      AdafactorConstants c{.lr = 1e-2, .weight_decay = 0.1, .gradient_scale = 0.5f};
      for (c.step = 1; c.step <= 5; ++c.step) {
        const Matrix g = rounded(random_matrix(stream, 1, n), DType::kF32);
        adafactor_vector(p, Buffer(DType::kF32, g, 0, 3), v, rms, c);
        plain.step(g, false, c);
      }
      expect_near(p.matrix(), plain.p, 1e-6, 1e-6, "p");
      expect_near(v.matrix(), plain.v, 1e-12, 1e-6, "v");
      EXPECT_NEAR(testing::value_at(rms, 0, 0), plain.rms, 1e-6 * plain.rms);
      for (const Buffer* b : {&p, &v, &rms}) b->check_padding();
    }
  });
}

// Rows without gradients count in every mean and decay: equal to the dense step on zeros.
TEST(AdafactorRows, EqualTheWholeMatrixWithZeros) {
  for (const double decay : {0.0, 0.1}) {
    CounterStream stream(testing::test_seed());
    const int64_t rows = 90, cols = 35;
    Plain plain(rounded(random_matrix(stream, rows, cols), DType::kF32));
    const Buffer p(DType::kF32, plain.p), row(DType::kF32, Matrix(1, rows)),
        col(DType::kF32, Matrix(1, cols)), rms(DType::kF32, 1, 1);
    AdafactorConstants c{.lr = 1e-2, .weight_decay = decay, .gradient_scale = 0.5f};
    for (c.step = 1; c.step <= 6; ++c.step) {
      Matrix g(rows, cols);
      std::vector<int32_t> touched;
      for (int32_t r = static_cast<int32_t>(c.step) % 3; r < rows; r += 7) touched.push_back(r);
      if (c.step == 4) touched.clear();
      std::reverse(touched.begin(), touched.end());
      const Matrix dense = gradient(stream, rows, cols);
      for (const int32_t r : touched) {
        for (int64_t j = 0; j < cols; ++j) g(r, j) = dense(r, j);
      }
      adafactor_rows(p, Buffer(DType::kF32, g), row, col, rms, touched, c);
      plain.step(g, true, c);
      expect_near(p.matrix(), plain.p, 1e-6, 1e-6, "p, step " + std::to_string(c.step));
      expect_near(row.matrix(), plain.row, 0, 1e-6, "row");
      expect_near(col.matrix(), plain.col, 0, 1e-6, "col");
      EXPECT_NEAR(testing::value_at(rms, 0, 0), plain.rms, 1e-6 * plain.rms);
    }
  }
}

TEST(Adafactor, HasTheSameBitsOnAnyThreadCount) {
  const int64_t rows = 700, cols = 130;
  const auto run = [&](int threads, Buffer& p, Buffer& row, Buffer& col) {
    CounterStream stream(5);
    const Matrix start = random_matrix(stream, rows, cols);
    p = Buffer(DType::kF32, start);
    row = Buffer(DType::kF32, Matrix(1, rows));
    col = Buffer(DType::kF32, Matrix(1, cols));
    const Buffer rms(DType::kF32, 1, 1);
    std::vector<int32_t> all;
    for (int32_t r = 0; r < rows; r += 2) all.push_back(r);
    with_threads(threads, [&] {
      AdafactorConstants c{.lr = 1e-2, .weight_decay = 0.1};
      for (c.step = 1; c.step <= 4; ++c.step) {
        Matrix g = gradient(stream, rows, cols);
        if (c.step % 2 == 0) {
          for (int64_t r = 1; r < rows; r += 2) {
            for (int64_t j = 0; j < cols; ++j) g(r, j) = 0;
          }
          adafactor_rows(p, Buffer(DType::kF32, g), row, col, rms, all, c);
        } else {
          adafactor(p, Buffer(DType::kF32, g), row, col, rms, Tensor{}, c);
        }
      }
    });
  };
  Buffer p(DType::kF32, 1, 1), row(DType::kF32, 1, 1), col(DType::kF32, 1, 1);
  run(1, p, row, col);
  for (const int threads : {2, 5}) {
    Buffer p2(DType::kF32, 1, 1), row2(DType::kF32, 1, 1), col2(DType::kF32, 1, 1);
    run(threads, p2, row2, col2);
    expect_same(p, p2, "p");
    expect_same(row, row2, "row");
    expect_same(col, col2, "col");
  }
}

}  // namespace
}  // namespace spanforge::ops
