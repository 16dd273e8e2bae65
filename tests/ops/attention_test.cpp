#include "spanforge/ops/attention.h"

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

struct Problem {
  std::vector<int32_t> cu_seqlens;
  int32_t heads = 1;
  int64_t head_size = 8;
  float p = 0;
  std::vector<uint64_t> keys;
  int64_t tokens() const { return cu_seqlens.back(); }
  int64_t hidden() const { return heads * head_size; }
  AttentionShape shape() const {
    return {cu_seqlens, heads, 1.0f / std::sqrt(static_cast<float>(head_size))};
  }
  Dropout dropout() const { return {p, 0xfeedbeefcafe, keys}; }
};

Problem make_problem(const std::vector<int32_t>& lengths, int32_t heads, int64_t head_size,
                     float p) {
  Problem problem{{0}, heads, head_size, p, {}};
  for (const int32_t length : lengths) {
    problem.cu_seqlens.push_back(problem.cu_seqlens.back() + length);
  }
  for (int32_t t = 0; t < problem.cu_seqlens.back(); ++t) {
    problem.keys.push_back(mix64(static_cast<uint64_t>(t)));
  }
  return problem;
}

struct Forward {
  Matrix out, lse;
};
struct Backward {
  Matrix dqkv;
};

// Calls body(window begin, length, head) for all.
template <class Body>
void for_heads(const Problem& p, const Body& body) {
  for (size_t w = 0; w + 1 < p.cu_seqlens.size(); ++w) {
    for (int32_t a = 0; a < p.heads; ++a) {
      body(int64_t{p.cu_seqlens[w]}, int64_t{p.cu_seqlens[w + 1] - p.cu_seqlens[w]}, a);
    }
  }
}

double keep_factor(const Problem& p, int64_t token, int32_t head, int64_t key_position) {
  if (p.p == 0) return 1;
  const auto column = static_cast<uint32_t>(head * 65536 + key_position);
  return dropout_keeps(p.dropout(), p.keys[static_cast<size_t>(token)], column)
             ? 1 / (1 - double{p.p})
             : 0;
}

// Probabilities of one window and head before dropout, and the rows' log-sum-exp.
Matrix probabilities(const Problem& p, const Matrix& qkv, int64_t begin, int64_t length,
                     int32_t head, Matrix* lse) {
  Matrix result(length, length);
  const int64_t d = p.head_size;
  for (int64_t i = 0; i < length; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < length; ++j) {
      double score = 0;
      for (int64_t c = 0; c < d; ++c) {
        score += qkv(begin + i, head * d + c) * qkv(begin + j, p.hidden() + head * d + c);
      }
      result(i, j) = std::exp(score * double{p.shape().scale});
      sum += result(i, j);
    }
    for (int64_t j = 0; j < length; ++j) result(i, j) /= sum;
    if (lse != nullptr) (*lse)(head, begin + i) = std::log(sum);
  }
  return result;
}

Forward reference_forward(const Problem& p, const Matrix& qkv) {
  Forward f{Matrix(p.tokens(), p.hidden()), Matrix(p.heads, p.tokens())};
  for_heads(p, [&](int64_t begin, int64_t length, int32_t head) {
    const Matrix prob = probabilities(p, qkv, begin, length, head, &f.lse);
    for (int64_t i = 0; i < length; ++i) {
      for (int64_t j = 0; j < length; ++j) {
        const double weight = prob(i, j) * keep_factor(p, begin + i, head, j);
        for (int64_t c = 0; c < p.head_size; ++c) {
          const int64_t column = head * p.head_size + c;
          f.out(begin + i, column) += weight * qkv(begin + j, 2 * p.hidden() + column);
        }
      }
    }
  });
  return f;
}

Matrix reference_backward(const Problem& p, const Matrix& qkv, const Matrix& dout) {
  Matrix dqkv(p.tokens(), 3 * p.hidden());
  const int64_t h = p.hidden();
  for_heads(p, [&](int64_t begin, int64_t length, int32_t head) {
    const Matrix prob = probabilities(p, qkv, begin, length, head, nullptr);
    const int64_t d = p.head_size;
    for (int64_t i = 0; i < length; ++i) {
      std::vector<double> dprob(static_cast<size_t>(length));
      double mean = 0;
      for (int64_t j = 0; j < length; ++j) {
        const double keep = keep_factor(p, begin + i, head, j);
        for (int64_t c = head * d; c < (head + 1) * d; ++c) {
          dqkv(begin + j, 2 * h + c) += prob(i, j) * keep * dout(begin + i, c);
          dprob[static_cast<size_t>(j)] += keep * dout(begin + i, c) * qkv(begin + j, 2 * h + c);
        }
        mean += prob(i, j) * dprob[static_cast<size_t>(j)];
      }
      for (int64_t j = 0; j < length; ++j) {
        const double ds =
            prob(i, j) * (dprob[static_cast<size_t>(j)] - mean) * double{p.shape().scale};
        for (int64_t c = head * d; c < (head + 1) * d; ++c) {
          dqkv(begin + i, c) += ds * qkv(begin + j, h + c);
          dqkv(begin + j, h + c) += ds * qkv(begin + i, c);
        }
      }
    }
  });
  return dqkv;
}

void check_problem(const Problem& p, DType dtype, uint64_t seed) {
  SCOPED_TRACE(std::string(dtype_name(dtype)) + " tokens " + std::to_string(p.tokens()) +
               " heads " + std::to_string(p.heads) + " D " + std::to_string(p.head_size) + " p " +
               std::to_string(p.p) + " seed " + std::to_string(seed));
  CounterStream stream(seed);
  const Matrix qkv = rounded(random_matrix(stream, p.tokens(), 3 * p.hidden()), dtype);
  const Matrix dout = rounded(random_matrix(stream, p.tokens(), p.hidden()), dtype);
  const Forward wanted = reference_forward(p, qkv);
  const Buffer qkvb(dtype, qkv, 3, 1), out(dtype, p.tokens(), p.hidden(), 2, 1);
  const Buffer lse(DType::kF32, p.heads, p.tokens(), 1);
  attention(qkvb, p.shape(), p.dropout(), out, lse);
  const double tolerance = dtype == DType::kBF16 ? 0x1p-6 : 1e-5;
  expect_near(out.matrix(), wanted.out, tolerance, tolerance, "out");
  expect_near(lse.matrix(), wanted.lse, 1e-5, dtype == DType::kBF16 ? 1e-3 : 1e-5, "lse");
  out.check_padding();
  lse.check_padding();
  const Buffer doutb(dtype, dout, 1), dqkv(dtype, p.tokens(), 3 * p.hidden(), 5, 1);
  attention_backward(doutb, qkvb, out, lse, p.shape(), p.dropout(), dqkv);
  const double loose = dtype == DType::kBF16 ? 0x1p-4 : 4e-5;
  expect_near(dqkv.matrix(), reference_backward(p, qkv, dout), loose, loose, "dqkv");
  dqkv.check_padding();
}

TEST(Attention, EqualsReferenceForWindowsOfEveryAwkwardLength) {
  const uint64_t seed = testing::test_seed();
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (int32_t length = 1; length <= 34; ++length) {
        check_problem(make_problem({length, 35 - length}, 2, 8, length % 2 == 0 ? 0.0f : 0.2f),
                      dtype, seed + static_cast<uint64_t>(length));
        if (HasFatalFailure()) return;
      }
      for (const int32_t length : {63, 64, 65, 100, 129}) {
        check_problem(make_problem({length, 1, 17}, 1, 32, 0.1f), dtype, seed);
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST(Attention, EqualsReferenceForEveryHeadSize) {
  const uint64_t seed = testing::test_seed();
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t head_size :
           {1, 2, 3, 5, 8, 12, 16, 17, 24, 31, 32, 40, 48, 64, 80, 96, 100, 128, 130}) {
        check_problem(make_problem({21, 5, 33}, 2, head_size, 0.1f), dtype, seed);
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST(Attention, EqualsReferenceForLongWindows) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      check_problem(make_problem({384, 3}, 1, 32, 0.1f), dtype, 5);
      check_problem(make_problem({513}, 1, 16, 0.0f), dtype, 6);
      if (HasFatalFailure()) return;
    }
  });
}

TEST(Attention, HandlesEmptyWindowsAndNoTokens) {
  for_each_target([&](const std::string&) {
    check_problem(make_problem({0, 4, 0, 0, 9, 0}, 3, 8, 0.2f), DType::kF32, 7);
    check_problem(make_problem({0}, 2, 8, 0.2f), DType::kF32, 8);
  });
}

TEST(Attention, SurvivesLargeScores) {
  for_each_target([&](const std::string&) {
    const Problem p = make_problem({40}, 1, 8, 0);
    CounterStream stream(3);
    const Matrix qkv = rounded(random_matrix(stream, 40, 24, 100), DType::kF32);
    const Buffer qkvb(DType::kF32, qkv), out(DType::kF32, 40, 8), lse(DType::kF32, 1, 40);
    attention(qkvb, p.shape(), {}, out, lse);
    for (const double value : out.matrix().values) ASSERT_TRUE(std::isfinite(value));
    const Buffer dqkv(DType::kF32, 40, 24);
    attention_backward(out, qkvb, out, lse, p.shape(), {}, dqkv);
    for (const double value : dqkv.matrix().values) ASSERT_TRUE(std::isfinite(value));
  });
}

TEST(Attention, ShowsNaNWhereverItEnters) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int32_t length : {20, 70}) {
        for (const int64_t column : {0, 8, 16}) {  // of Q, K, V
          const Problem p = make_problem({length}, 1, 8, 0);
          CounterStream stream(3);
          const Buffer qkv(dtype, random_matrix(stream, length, 24));
          testing::set_value(qkv, 5, column, std::nan(""));
          const Buffer out(dtype, length, 8), lse(DType::kF32, 1, length);
          attention(qkv, p.shape(), {}, out, lse);
          EXPECT_TRUE(std::isnan(out.matrix()(5, 0))) << length << " " << column;
        }
      }
    }
  });
}

TEST(Attention, DoesNotSeeOtherWindows) {
  for_each_target([&](const std::string&) {
    CounterStream stream(4);
    const Matrix qkv = random_matrix(stream, 30, 48);
    const Problem together = make_problem({12, 18}, 2, 8, 0.1f);
    Problem alone = make_problem({18}, 2, 8, 0.1f);
    alone.keys.assign(together.keys.begin() + 12, together.keys.end());
    const Buffer qkvb(DType::kF32, qkv), out(DType::kF32, 30, 16), lse(DType::kF32, 2, 30);
    const Buffer out_alone(DType::kF32, 18, 16), lse_alone(DType::kF32, 2, 18);
    attention(qkvb, together.shape(), together.dropout(), out, lse);
    attention(qkvb.tensor().row_range(12, 18), alone.shape(), alone.dropout(), out_alone,
              lse_alone);
    expect_same(out.tensor().row_range(12, 18), out_alone, "out");
  });
}

TEST(Attention, GivesTheSameBitsOnAnyThreadCount) {
  const Problem p = make_problem({50, 7, 80, 33}, 4, 16, 0.1f);
  CounterStream stream(5);
  const Buffer qkv(DType::kF32, random_matrix(stream, p.tokens(), 3 * p.hidden()));
  const Buffer out1(DType::kF32, p.tokens(), p.hidden()), out5(DType::kF32, p.tokens(), p.hidden());
  const Buffer lse(DType::kF32, p.heads, p.tokens());
  const Buffer d1(DType::kF32, p.tokens(), 3 * p.hidden());
  const Buffer d5(DType::kF32, p.tokens(), 3 * p.hidden());
  const auto run = [&](const Buffer& out, const Buffer& d) {
    attention(qkv, p.shape(), p.dropout(), out, lse);
    attention_backward(out, qkv, out, lse, p.shape(), p.dropout(), d);
  };
  with_threads(1, [&] { run(out1, d1); });
  with_threads(5, [&] { run(out5, d5); });
  expect_same(out1, out5, "out");
  expect_same(d1, d5, "dqkv");
}

TEST(Attention, RefusesShapesThatDoNotFit) {
  const Problem p = make_problem({5}, 2, 8, 0);
  const Buffer qkv(DType::kF32, 5, 48), out(DType::kF32, 5, 16), lse(DType::kF32, 2, 5);
  const std::vector<int32_t> short_windows = {0, 4};
  testing::expect_error(ErrorCode::kInternal, [&] {
    attention(qkv, {short_windows, 2, 1.0f}, {}, out, lse);
  });
  testing::expect_error(ErrorCode::kInternal, [&] {
    attention(qkv, {p.cu_seqlens, 5, 1.0f}, {}, out, lse);
  });
  testing::expect_error(ErrorCode::kInternal,
                        [&] { attention(qkv, p.shape(), {}, Buffer(DType::kBF16, 5, 16), lse); });
}

}  // namespace
}  // namespace spanforge::ops
