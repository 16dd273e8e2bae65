#include "spanforge/ops/span_loss.h"

#include <cmath>

#include "ops/reference.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::Buffer;
using spanforge::testing::expect_near;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;
using spanforge::testing::rounded;

double reference(const Matrix& logits, const std::vector<int32_t>& cu,
                 const std::vector<int32_t>& s, const std::vector<int32_t>& e) {
  double total = 0;
  for (size_t w = 0; w + 1 < cu.size(); ++w) {
    for (int column = 0; column < 2; ++column) {
      double sum = 0;
      for (int64_t t = cu[w]; t < cu[w + 1]; ++t) sum += std::exp(logits(t, column));
      total += 0.5 * (std::log(sum) - logits(cu[w] + (column == 0 ? s[w] : e[w]), column));
    }
  }
  return total;
}

TEST(SpanLoss, EqualsReferenceAndFiniteDifferences) {
  const std::vector<int32_t> cu = {0, 1, 6, 20}, starts = {0, 2, 13}, ends = {0, 4, 0};
  CounterStream stream(testing::test_seed());
  Matrix logits = rounded(random_matrix(stream, 20, 2, 2), DType::kF32);
  const Buffer lb(DType::kF32, logits, 1), d(DType::kF32, 20, 2, 2, 1);
  std::vector<double> losses(3);
  const double loss = span_loss(lb, cu, starts, ends, 0.25f, d, losses);
  EXPECT_NEAR(loss, reference(logits, cu, starts, ends), 1e-12);
  EXPECT_EQ(losses[0], 0.0);  // one token: no choice, no loss
  EXPECT_NEAR(losses[0] + losses[1] + losses[2], loss, 1e-12);
  Matrix wanted(20, 2);
  for (size_t i = 0; i < logits.values.size(); ++i) {
    const double before = logits.values[i];
    logits.values[i] = before + 1e-5;
    const double high = reference(logits, cu, starts, ends);
    logits.values[i] = before - 1e-5;
    wanted.values[i] = 0.25 * (high - reference(logits, cu, starts, ends)) / 2e-5;
    logits.values[i] = before;
  }
  expect_near(d.matrix(), wanted, 1e-7, 1e-6, "dlogits");
  d.check_padding();
  EXPECT_EQ(span_loss(lb, cu, starts, ends, 1.0f, Tensor{}), loss);
}

TEST(SpanLoss, SurvivesLargeLogits) {
  Matrix logits(2, 2);
  logits.values = {1e30, -1e30, 0, 5};
  const std::vector<int32_t> cu = {0, 2}, start = {0}, end = {1};
  EXPECT_EQ(span_loss(Buffer(DType::kF32, logits), cu, start, end, 1.0f, Tensor{}), 0.0);
}

TEST(SpanLoss, RefusesPositionsOutsideTheirWindow) {
  const Buffer logits(DType::kF32, Matrix(5, 2));
  const std::vector<int32_t> cu = {0, 2, 5}, good = {1, 2}, bad = {2, 2};
  const Error error = testing::expect_error(
      ErrorCode::kInternal, [&] { span_loss(logits, cu, good, bad, 1.0f, Tensor{}); });
  EXPECT_NE(error.reason().find("window 0"), std::string::npos) << error.reason();
}

}  // namespace
}  // namespace spanforge::ops
