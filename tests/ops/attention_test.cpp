#include "spanforge/ops/attention.h"

#include <cmath>

#include "ops/attention_reference.h"
#include "ops/reference.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::attention_reference;
using spanforge::testing::AttentionResults;
using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::expect_same;
using spanforge::testing::for_each_target;
using spanforge::testing::make_attention_problem;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;
using spanforge::testing::with_threads;
using Problem = spanforge::testing::AttentionProblem;

void check_problem(const Problem& p, DType dtype, uint64_t seed) {
  SCOPED_TRACE(std::string(dtype_name(dtype)) + ", " + p.describe() + ", seed " +
               std::to_string(seed));
  CounterStream stream(seed);
  const Matrix qkv = rounded(random_matrix(stream, p.tokens(), 3 * p.hidden()), dtype);
  const Matrix dout = rounded(random_matrix(stream, p.tokens(), p.hidden()), dtype);
  const AttentionResults wanted = attention_reference(p, qkv, dout);
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
  expect_near(dqkv.matrix(), wanted.dqkv, loose, loose, "dqkv");
  dqkv.check_padding();
}

TEST(Attention, EqualsReferenceForWindowsOfEveryAwkwardLength) {
  const uint64_t seed = testing::test_seed();
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (int32_t length = 1; length <= 34; ++length) {
        check_problem(
            make_attention_problem({length, 35 - length}, 2, 8, length % 2 == 0 ? 0.0f : 0.2f),
            dtype, seed + static_cast<uint64_t>(length));
        if (HasFatalFailure()) return;
      }
      for (const int32_t length : {63, 64, 65, 100, 129}) {
        check_problem(make_attention_problem({length, 1, 17}, 1, 32, 0.1f), dtype, seed);
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
        check_problem(make_attention_problem({21, 5, 33}, 2, head_size, 0.1f), dtype, seed);
        if (HasFatalFailure()) return;
      }
    }
  });
}

TEST(Attention, EqualsReferenceForLongWindows) {
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      check_problem(make_attention_problem({384, 3}, 1, 32, 0.1f), dtype, 5);
      check_problem(make_attention_problem({513}, 1, 16, 0.0f), dtype, 6);
      if (HasFatalFailure()) return;
    }
  });
}

TEST(Attention, HandlesEmptyWindowsAndNoTokens) {
  for_each_target([&](const std::string&) {
    check_problem(make_attention_problem({0, 4, 0, 0, 9, 0}, 3, 8, 0.2f), DType::kF32, 7);
    check_problem(make_attention_problem({0}, 2, 8, 0.2f), DType::kF32, 8);
  });
}

TEST(Attention, SurvivesLargeScores) {
  for_each_target([&](const std::string&) {
    const Problem p = make_attention_problem({40}, 1, 8, 0);
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
          const Problem p = make_attention_problem({length}, 1, 8, 0);
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
    const Problem together = make_attention_problem({12, 18}, 2, 8, 0.1f);
    Problem alone = make_attention_problem({18}, 2, 8, 0.1f);
    alone.dropout_keys.assign(together.dropout_keys.begin() + 12, together.dropout_keys.end());
    const Buffer qkvb(DType::kF32, qkv), out(DType::kF32, 30, 16), lse(DType::kF32, 2, 30);
    const Buffer out_alone(DType::kF32, 18, 16), lse_alone(DType::kF32, 2, 18);
    attention(qkvb, together.shape(), together.dropout(), out, lse);
    attention(qkvb.tensor().row_range(12, 18), alone.shape(), alone.dropout(), out_alone,
              lse_alone);
    expect_same(out.tensor().row_range(12, 18), out_alone, "out");
  });
}

TEST(Attention, GivesTheSameBitsOnAnyThreadCount) {
  const Problem p = make_attention_problem({50, 7, 80, 33}, 4, 16, 0.1f);
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
  const Problem p = make_attention_problem({5}, 2, 8, 0);
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
