#include "spanforge/ops/dropout.h"

#include <cmath>

#include "ops/reference.h"
#include "spanforge/ops/dropout_apply.h"

namespace spanforge::ops {
namespace {

using spanforge::testing::awkward_lengths;
using spanforge::testing::Buffer;
using spanforge::testing::for_each_target;
using spanforge::testing::Matrix;
using spanforge::testing::random_matrix;

TEST(Dropout, KernelsEqualTheScalarDefinitionBitForBit) {
  const uint64_t seed = testing::test_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  for_each_target([&](const std::string&) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const int64_t n : awkward_lengths()) {
        for (const float p : {0.1f, 0.5f, 0.9f}) {
          CounterStream stream(seed + static_cast<uint64_t>(n));
          const std::vector<uint64_t> keys = {0, ~uint64_t{0}, stream.next_below(~uint64_t{0}),
                                              0x00000001ffffffffull};
          const Dropout dropout{p, stream.next_below(~uint64_t{0}), keys};
          const Buffer x(dtype, random_matrix(stream, 4, n), 1, 1), y(dtype, 4, n, 2);
          apply_dropout(x, dropout, y);
          const float scale = 1.0f / (1.0f - p);
          for (int64_t t = 0; t < 4; ++t) {
            for (int64_t j = 0; j < n; ++j) {
              const bool keeps =
                  dropout_keeps(dropout, keys[static_cast<size_t>(t)], static_cast<uint32_t>(j));
              const float kept = static_cast<float>(testing::value_at(x, t, j)) * scale;
              const double wanted = !keeps                 ? 0.0
                                    : dtype == DType::kF32 ? kept
                                                           : to_float(to_bf16(kept));
              ASSERT_EQ(testing::value_at(y, t, j), wanted)
                  << "n " << n << " t " << t << " j " << j;
            }
          }
          y.check_padding();
          const Buffer in_place(dtype, x.matrix());
          apply_dropout(in_place, dropout, in_place);
          testing::expect_same(in_place, y, "in place");
        }
      }
    }
  });
}

TEST(Dropout, KeepsTheRightShareEverywhere) {
  const std::vector<uint64_t> keys = {};
  for (const float p : {0.1f, 0.3f, 0.5f}) {
    Dropout dropout{p, 42, keys};
    constexpr int kRows = 400, kColumns = 256;
    std::vector<int> by_column(kColumns);
    int kept = 0, both = 0;
    for (int t = 0; t < kRows; ++t) {
      bool previous = false;
      for (uint32_t j = 0; j < kColumns; ++j) {
        const bool keeps = dropout_keeps(dropout, mix64(static_cast<uint64_t>(t)), j);
        kept += keeps;
        both += keeps && previous;
        by_column[j] += keeps;
        previous = keeps;
      }
    }
    constexpr double kTotal = double{kRows} * kColumns;
    const double share = 1 - double{p};
    // Five standard deviations of a binomial.
    EXPECT_NEAR(kept, kTotal * share, 5 * std::sqrt(kTotal * p * share));
    EXPECT_NEAR(both, kTotal * share * share, 5 * std::sqrt(kTotal * 0.5));
    for (const int count : by_column) {
      EXPECT_NEAR(count, kRows * share, 5.5 * std::sqrt(kRows * p * share));
    }
  }
}

TEST(Dropout, DependsOnKeyRowAndColumnOnly) {
  const std::vector<uint64_t> keys = {};
  const Dropout a{0.5f, 1, keys}, b{0.5f, 2, keys};
  int by_key = 0, by_row = 0, by_column = 0;
  for (uint32_t j = 0; j < 1000; ++j) {
    by_key += dropout_keeps(a, 7, j) != dropout_keeps(b, 7, j);
    by_row += dropout_keeps(a, 7, j) != dropout_keeps(a, 8, j);
    by_column += dropout_keeps(a, 7, j) != dropout_keeps(a, 7, j + 1000);
  }
  for (const int differing : {by_key, by_row, by_column}) EXPECT_NEAR(differing, 500, 90);
}

TEST(Dropout, IsTheIdentityWhenOff) {
  CounterStream stream(9);
  const Buffer x(DType::kF32, random_matrix(stream, 3, 20), 1), y(DType::kF32, 3, 20);
  apply_dropout(x, Dropout{}, y);
  testing::expect_same(x, y, "y");
}

TEST(Dropout, RefusesProbabilitiesAndKeysThatDoNotFit) {
  const Buffer x(DType::kF32, Matrix(3, 4));
  const std::vector<uint64_t> keys = {1, 2};
  testing::expect_error(ErrorCode::kInternal, [&] { apply_dropout(x, {1.0f, 1, keys}, x); });
  testing::expect_error(ErrorCode::kInternal, [&] { apply_dropout(x, {-0.5f, 1, keys}, x); });
  testing::expect_error(ErrorCode::kInternal, [&] { apply_dropout(x, {0.5f, 1, keys}, x); });
}

}  // namespace
}  // namespace spanforge::ops
