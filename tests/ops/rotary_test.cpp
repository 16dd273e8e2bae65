#include "spanforge/ops/rotary.h"

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

// Q and K of x rotated by `sign` times their angles; the angles follow the definition in double.
Matrix reference(const Matrix& x, const std::vector<int32_t>& cu_seqlens, int32_t heads,
                 double theta, double sign) {
  Matrix y = x;
  const int64_t size = x.cols / 3 / heads, half = size / 2;
  for (size_t w = 0; w + 1 < cu_seqlens.size(); ++w) {
    for (int64_t t = cu_seqlens[w]; t < cu_seqlens[w + 1]; ++t) {
      for (int64_t c = 0; c < half; ++c) {
        const double part = static_cast<double>(c) / static_cast<double>(size);
        const double angle =
            sign * static_cast<double>(t - cu_seqlens[w]) * std::pow(theta, -2 * part);
        const double cosine = std::cos(angle), sine = std::sin(angle);
        for (int64_t head = 0; head < 2 * heads; ++head) {
          const int64_t i = head * size + c, j = i + half;
          y(t, i) = x(t, i) * cosine - x(t, j) * sine;
          y(t, j) = x(t, j) * cosine + x(t, i) * sine;
        }
      }
    }
  }
  return y;
}

TEST(Rotary, EqualsReferenceForwardAndBackward) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::vector<int32_t> cu_seqlens = {0, 0, 1, 3, 3, 36, 90};
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int32_t heads : {1, 3}) {
        for (const int64_t size : {2, 6, 8, 16, 20, 34, 64, 128}) {
          SCOPED_TRACE(std::string(dtype_name(dtype)) + " heads " + std::to_string(heads) + " D " +
                       std::to_string(size));
          CounterStream stream(seed + static_cast<uint64_t>(size));
          const RotaryAngles angles(10000, size, 60);
          const Matrix x = rounded(random_matrix(stream, 90, 3 * heads * size), dtype);
          // Angles of up to 54 already have errors in f32.
          const double tolerance = dtype == DType::kBF16 ? 0x1p-7 : 3e-5;
          const Buffer forward(dtype, x, 3, 1), backward(dtype, x, 2, 1);
          rotate_queries_and_keys(forward, cu_seqlens, heads, angles);
          expect_near(forward.matrix(), reference(x, cu_seqlens, heads, 10000, 1), tolerance,
                      tolerance, "y");
          rotate_queries_and_keys_backward(backward, cu_seqlens, heads, angles);
          expect_near(backward.matrix(), reference(x, cu_seqlens, heads, 10000, -1), tolerance,
                      tolerance, "dx");
          forward.check_padding();
          backward.check_padding();
          if (HasFatalFailure()) return;
        }
      }
    }
  });
}

TEST(Rotary, TakesAnglesInF32) {
  const RotaryAngles angles(160000, 64, 8192);
  ASSERT_EQ(angles.positions(), 8192);
  ASSERT_EQ(angles.half(), 32);
  EXPECT_EQ(angles.cosines(0)[7], 1.0f);
  EXPECT_EQ(angles.sines(0)[7], 0.0f);
  const float frequency =
      1.0f / static_cast<float>(std::pow(160000.0, double{static_cast<float>(14) / 64.0f}));
  const float angle = 8191.0f * frequency;
  EXPECT_EQ(angles.cosines(8191)[7], static_cast<float>(std::cos(double{angle})));
  EXPECT_EQ(angles.sines(8191)[7], static_cast<float>(std::sin(double{angle})));
}

TEST(Rotary, GivesTheSameBitsOnAnyThreadCountAndTarget) {
  CounterStream stream(3);
  const std::vector<int32_t> cu_seqlens = {0, 90, 200};
  const RotaryAngles angles(10000, 20, 110);
  const Matrix x = random_matrix(stream, 200, 180);
  const Buffer wanted(DType::kF32, x);
  with_threads(1, [&] { rotate_queries_and_keys(wanted, cu_seqlens, 3, angles); });
  for_each_target([&](const std::string&) {
    const Buffer got(DType::kF32, x);
    with_threads(5, [&] { rotate_queries_and_keys(got, cu_seqlens, 3, angles); });
    expect_same(got, wanted, "y");
  });
}

TEST(Rotary, RefusesWhatDoesNotFit) {
  const Buffer qkv(DType::kF32, 5, 48);
  const RotaryAngles angles(10000, 8, 5);
  const std::vector<int32_t> good = {0, 5}, late = {1, 5}, few = {0, 4}, back = {0, 5, 3, 5};
  const auto refuses = [&](const std::vector<int32_t>& cu_seqlens, int32_t heads,
                           const RotaryAngles& with) {
    testing::expect_error(ErrorCode::kInternal,
                          [&] { rotate_queries_and_keys(qkv, cu_seqlens, heads, with); });
    testing::expect_error(ErrorCode::kInternal,
                          [&] { rotate_queries_and_keys_backward(qkv, cu_seqlens, heads, with); });
  };
  rotate_queries_and_keys(qkv, good, 2, angles);
  refuses(late, 2, angles);
  refuses(few, 2, angles);
  refuses(back, 2, angles);
  refuses({}, 2, angles);
  refuses(good, 3, angles);
  refuses(good, 2, RotaryAngles(10000, 8, 4));
  testing::expect_error(ErrorCode::kInternal, [] { RotaryAngles(10000, 7, 4); });
  testing::expect_error(ErrorCode::kInternal, [] { RotaryAngles(0, 8, 4); });
}

}  // namespace
}  // namespace spanforge::ops
