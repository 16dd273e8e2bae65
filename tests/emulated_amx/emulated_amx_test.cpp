#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "emulated_tiles.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/tiles.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {
namespace {

class EmulatedAmx : public testing::Test {
 protected:
  void SetUp() override {
    if (!has_amx()) GTEST_SKIP() << "no AVX-512 with VNNI, which goes with AMX";
  }
};

float as_float(uint16_t bf16_bits) {
  const uint32_t bits = static_cast<uint32_t>(bf16_bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Left of 32 rows by 2 tiles' depth, right of the same depth by 32 columns; the sums by definition.
TEST_F(EmulatedAmx, ProductsOfBf16AreTheirDefinition) {
  constexpr int64_t kDepth = 2, kK = kDepth * 32;
  std::mt19937 random(5);
  std::vector<uint16_t> left(2 * kDepth * 512), right(kDepth * 2 * 512);
  std::uniform_int_distribution<int> bits(0x3d00, 0x4080);  // about 0.03 to 4
  for (uint16_t& x : left) x = static_cast<uint16_t>(bits(random) | (random() % 2 << 15));
  for (uint16_t& x : right) x = static_cast<uint16_t>(bits(random) | (random() % 2 << 15));
  for (const int64_t rows : {32, 16}) {
    std::vector<float> result(32 * 32, 1.0F);
    const int64_t before = emulated::products();
    {
      const TileSession session;
      multiply_tiles_bf16({.left = reinterpret_cast<const std::byte*>(left.data()),
                           .left_stride = kDepth * kTileBytes,
                           .right = reinterpret_cast<const std::byte*>(right.data()),
                           .depth = kDepth,
                           .rows = rows,
                           .accumulate = true,
                           .result = result.data()});
    }
    EXPECT_EQ(emulated::products() - before, kDepth * 2 * (rows / 16));
    for (int64_t m = 0; m < rows; ++m) {
      for (int64_t n = 0; n < 32; ++n) {
        double wanted = 1, size = 1;
        for (int64_t k = 0; k < kK; ++k) {
          const int64_t row_tile = m / 16 * kDepth + k / 32;
          const double a =
              as_float(left[static_cast<size_t>(row_tile * 512 + m % 16 * 32 + k % 32)]);
          const int64_t column_tile = k / 32 * 2 + n / 16;
          const double b = as_float(
              right[static_cast<size_t>(column_tile * 512 + k % 32 / 2 * 32 + n % 16 * 2 + k % 2)]);
          wanted += a * b;
          size += std::abs(a * b);
        }
        ASSERT_NEAR(result[static_cast<size_t>(m * 32 + n)], wanted, 1e-6 * size) << m << ", " << n;
      }
    }
  }
}

TEST_F(EmulatedAmx, MatrixProductsOfBf16GoThroughIt) {
  std::vector<bf16> a(48 * 64), b(64 * 40);
  std::vector<float> c(48 * 40);
  const int64_t before = emulated::products();
  gemm(make_tensor(a.data(), 48, 64), make_tensor(b.data(), 64, 40), make_tensor(c.data(), 48, 40),
       {});
  EXPECT_GT(emulated::products(), before);
}

using EmulatedAmxDeathTest = EmulatedAmx;

TEST_F(EmulatedAmxDeathTest, FaultsWhereTheCpuDoes) {
  EXPECT_DEATH(emulated::zero(0), "TILEZERO: no configuration is loaded");
  const TileSession session;
  EXPECT_DEATH(emulated::multiply_bf16(0, 0, 1), "TDPBF16PS: a register is named twice");
  EXPECT_DEATH(emulated::load(8, nullptr, 64), "TILELOADD: there is no such register");
  std::vector<uint8_t> config(64);
  EXPECT_DEATH(emulated::load_config(config.data()), "LDTILECFG: the palette is not 1");
  config[0] = 1;
  config[16] = 64, config[48] = 16;  // 0: sixteen rows, 1: eight
  config[18] = 64, config[49] = 8;
  config[20] = 64, config[50] = 16;
  emulated::load_config(config.data());
  EXPECT_DEATH(emulated::multiply_u8s8(0, 1, 2), "TDPBUSD: the shapes do not fit");
  EXPECT_DEATH(emulated::zero(3), "TILEZERO: the register is not configured");
}

}  // namespace
}  // namespace spanforge::ops
