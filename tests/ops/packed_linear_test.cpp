#include "spanforge/ops/packed_linear.h"

#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

namespace spanforge::ops {
namespace {

struct Case {
  int64_t rows, inputs, outputs;
};
const Case kCases[] = {{1, 1, 1},     {1, 64, 32},    {5, 63, 31},    {16, 32, 33},   {17, 65, 64},
                       {38, 768, 96}, {33, 100, 130}, {300, 130, 70}, {1100, 96, 48}, {2, 3000, 7}};

struct Layer {
  Layer(const Case& c, unsigned seed) : shape(c), x(c.rows * c.inputs), w(c.outputs * c.inputs) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    for (float& v : x) v = normal(random);
    for (float& v : w) v = 0.1f * normal(random);
    bias.resize(c.outputs);
    for (float& v : bias) v = normal(random);
  }
  RowReader reader() const {
    return [this](int64_t first, int64_t count, float* to) {
      std::copy_n(w.data() + first * shape.inputs, count * shape.inputs, to);
    };
  }
  Tensor bias_tensor() { return make_tensor(bias.data(), 1, shape.outputs); }

  Case shape;
  std::vector<float> x, w, bias;
};

std::vector<bf16> narrowed(const std::vector<float>& x) {
  std::vector<bf16> y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), to_bf16);
  return y;
}

double gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

// Half a unit in the last place of a bf16 near v, plus a little for f32 sums.
double bf16_slack(double v) { return std::abs(v) / 256 + 2e-5; }

TEST(PackedLinear, Bf16EqualsThePlainReference) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.inputs << " x " << c.outputs);
    ASSERT_GT(c.rows * c.outputs, 0);
    Layer layer(c, 1);
    std::vector<bf16> x = narrowed(layer.x), y(c.rows * c.outputs), z(y.size());
    const std::vector<bf16> w = narrowed(layer.w);
    const auto packed =
        PackedLinear::bf16(c.outputs, c.inputs, layer.reader(), layer.bias_tensor());
    packed(make_tensor(x.data(), c.rows, c.inputs), make_tensor(y.data(), c.rows, c.outputs));
    packed(make_tensor(x.data(), c.rows, c.inputs), Activation::kGelu,
           make_tensor(z.data(), c.rows, c.outputs));
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t n = 0; n < c.outputs; ++n) {
        double sum = layer.bias[n];
        for (int64_t k = 0; k < c.inputs; ++k) {
          sum += double{to_float(x[r * c.inputs + k])} * to_float(w[n * c.inputs + k]);
        }
        const double got = to_float(y[r * c.outputs + n]);
        ASSERT_NEAR(got, sum, bf16_slack(sum)) << r << "," << n;
        // The activation is applied to the rounded sum.
        ASSERT_NEAR(to_float(z[r * c.outputs + n]), gelu(got), std::abs(gelu(got)) / 250 + 1e-6);
      }
    }
  }
}

// Two matrices, so that a stripe may begin in one and end in the other.
TEST(PackedLinear, F32TakesSeveralMatricesAsOne) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.inputs << " x " << c.outputs);
    ASSERT_GT(c.rows * c.outputs, 0);
    Layer layer(c, 2);
    std::vector<float> y(c.rows * c.outputs);
    const Tensor w = make_tensor(layer.w.data(), c.outputs, c.inputs);
    const int64_t cut = c.outputs / 3;
    const auto packed = PackedLinear::f32({w.row_range(0, cut), w.row_range(cut, c.outputs - cut)},
                                          layer.bias_tensor());
    packed(make_tensor(layer.x.data(), c.rows, c.inputs), Activation::kRelu,
           make_tensor(y.data(), c.rows, c.outputs));
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t n = 0; n < c.outputs; ++n) {
        double sum = layer.bias[n];
        for (int64_t k = 0; k < c.inputs; ++k) {
          sum += double{layer.x[r * c.inputs + k]} * layer.w[n * c.inputs + k];
        }
        ASSERT_NEAR(y[r * c.outputs + n], std::max(0.0, sum), 2e-6 * std::sqrt(c.inputs) + 2e-6);
      }
    }
  }
}

// u8 inputs, s8 weights and their sums as integers.
double int8_reference(const Layer& layer, const Int8Weights& weights,
                      const std::vector<int8_t>& plain, InputRange range,
                      const std::vector<float>& x, int64_t r, int64_t n) {
  const int64_t inputs = layer.shape.inputs;
  int64_t sum = 0;
  for (int64_t k = 0; k < inputs; ++k) {
    const float scaled =
        x[r * inputs + k] * (1.0f / range.scale) + static_cast<float>(range.zero_point);
    const auto q = static_cast<int64_t>(std::nearbyint(std::clamp(scaled, 0.0f, 255.0f)));
    sum += (q - range.zero_point) * plain[n * inputs + k];
  }
  return static_cast<double>(sum) * range.scale * weights.scales[n] + layer.bias[n];
}

template <class T>
void check_int8(DType dtype) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.inputs << " x " << c.outputs);
    Layer layer(c, 3);
    std::vector<T> x(layer.x.size()), y(c.rows * c.outputs);
    for (size_t i = 0; i < x.size(); ++i) {
      if constexpr (sizeof(T) == 2) {
        x[i] = to_bf16(layer.x[i]);
        layer.x[i] = to_float(x[i]);
      } else {
        x[i] = layer.x[i];
      }
    }
    const Int8Weights weights = quantize_weights(c.outputs, c.inputs, layer.reader());
    std::vector<int8_t> plain(c.outputs * c.inputs);
    unpack_int8(c.outputs, c.inputs, weights.packed.data(), plain.data());
    const InputRange range{0.02f, 131};
    const auto packed = PackedLinear::int8(c.outputs, c.inputs, weights.packed.data(),
                                           weights.scales.data(), layer.bias_tensor(), range);
    packed(make_tensor(x.data(), dtype, c.rows, c.inputs),
           make_tensor(y.data(), dtype, c.rows, c.outputs));
    for (int64_t r = 0; r < c.rows; ++r) {
      for (int64_t n = 0; n < c.outputs; ++n) {
        const double want = int8_reference(layer, weights, plain, range, layer.x, r, n);
        double got = 0;
        if constexpr (sizeof(T) == 2) {
          got = to_float(y[r * c.outputs + n]);
          ASSERT_NEAR(got, want, bf16_slack(want)) << r << "," << n;
        } else {
          got = y[r * c.outputs + n];
          ASSERT_NEAR(got, want, 1e-5 + 1e-5 * std::abs(want)) << r << "," << n;
        }
      }
    }
  }
}

TEST(PackedLinear, Int8WithBf16EqualsTheIntegerReference) { check_int8<bf16>(DType::kBF16); }
TEST(PackedLinear, Int8WithF32EqualsTheIntegerReference) { check_int8<float>(DType::kF32); }

// Two products of 255 x 127 exceed 16 bits, where older instructions saturate.
TEST(PackedLinear, Int8DoesNotSaturate) {
  const Case c{3, 512, 40};
  Layer layer(c, 4);
  std::fill(layer.x.begin(), layer.x.end(), 255.0f);
  std::fill(layer.w.begin(), layer.w.end(), 127.0f);
  std::vector<float> y(c.rows * c.outputs);
  const Int8Weights weights = quantize_weights(c.outputs, c.inputs, layer.reader());
  const auto packed = PackedLinear::int8(c.outputs, c.inputs, weights.packed.data(),
                                         weights.scales.data(), layer.bias_tensor(), {1.0f, 0});
  packed(make_tensor(layer.x.data(), c.rows, c.inputs), make_tensor(y.data(), c.rows, c.outputs));
  ASSERT_EQ(y.size(), 120u);
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_NEAR(y[i], 512.0 * 255 * 127 + layer.bias[i % c.outputs], 4.0);
  }
}

TEST(PackedLinear, WithoutABiasIsThatWithZeros) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(::testing::Message() << c.rows << " x " << c.inputs << " x " << c.outputs);
    ASSERT_GT(c.rows * c.outputs, 0);
    Layer layer(c, 4);
    std::fill(layer.bias.begin(), layer.bias.end(), 0.0f);
    const Tensor w = make_tensor(layer.w.data(), c.outputs, c.inputs);
    const Int8Weights weights = quantize_weights(c.outputs, c.inputs, layer.reader());
    const auto make = [&](const Tensor& bias) {
      std::vector<PackedLinear> forms;
      forms.push_back(PackedLinear::f32({w}, bias));
      forms.push_back(PackedLinear::bf16(c.outputs, c.inputs, layer.reader(), bias));
      forms.push_back(PackedLinear::int8(c.outputs, c.inputs, weights.packed.data(),
                                         weights.scales.data(), bias, {0.05f, 128}));
      return forms;
    };
    const auto with = make(layer.bias_tensor()), without = make(Tensor{});
    std::vector<bf16> narrow = narrowed(layer.x);
    for (size_t form = 0; form < with.size(); ++form) {
      const bool is_narrow = form == 1;
      const auto run = [&](const PackedLinear& linear) {
        std::vector<float> wide(c.rows * c.outputs);
        std::vector<bf16> y(wide.size());
        if (is_narrow) {
          linear(make_tensor(narrow.data(), c.rows, c.inputs),
                 make_tensor(y.data(), c.rows, c.outputs));
          std::transform(y.begin(), y.end(), wide.begin(), to_float);
        } else {
          linear(make_tensor(layer.x.data(), c.rows, c.inputs),
                 make_tensor(wide.data(), c.rows, c.outputs));
        }
        return wide;
      };
      EXPECT_EQ(run(without[form]), run(with[form])) << "form " << form;
    }
  }
}

TEST(PackedLinear, NoRowsAreNoWork) {
  Layer layer({1, 64, 32}, 5);
  const auto packed = PackedLinear::bf16(32, 64, layer.reader(), layer.bias_tensor());
  EXPECT_NO_THROW(packed(make_tensor(static_cast<bf16*>(nullptr), 0, 64),
                         make_tensor(static_cast<bf16*>(nullptr), 0, 32)));
}

TEST(PackedLinear, ShapesThatDoNotFitAreRefused) {
  Layer layer({1, 64, 32}, 6);
  const auto packed = PackedLinear::bf16(32, 64, layer.reader(), layer.bias_tensor());
  std::vector<bf16> x(64), y(33);
  EXPECT_THROW(packed(make_tensor(x.data(), 1, 63), make_tensor(y.data(), 1, 32)), Error);
  EXPECT_THROW(packed(make_tensor(x.data(), 1, 64), make_tensor(y.data(), 1, 33)), Error);
  std::vector<float> wide(64);
  EXPECT_THROW(packed(make_tensor(wide.data(), 1, 64), make_tensor(wide.data(), 1, 32)), Error);
}

TEST(PackedLayout, HoldsEveryWeightOnceAndZerosBeyond) {
  const int64_t outputs = 37, inputs = 70;
  Layer layer({1, inputs, outputs}, 7);
  const Int8Weights weights = quantize_weights(outputs, inputs, layer.reader());
  ASSERT_EQ(static_cast<int64_t>(weights.packed.size()), 2 * 2 * 2 * 16 * 16 * 4);
  const auto at = [&](int64_t n, int64_t k) {  // [stripe, pair, 2, 16, 16, 4]
    const int64_t tile = (n / 32 * 2 + k / 64) * 2 + n % 32 / 16;
    return weights.packed[((tile * 16 + k % 64 / 4) * 16 + n % 16) * 4 + k % 4];
  };
  std::vector<int32_t> sums(outputs), expected(outputs);
  for (int64_t n = 0; n < 64; ++n) {
    for (int64_t k = 0; k < 128; ++k) {
      if (n >= outputs || k >= inputs) {
        ASSERT_EQ(at(n, k), 0);
        continue;
      }
      ASSERT_NEAR(at(n, k) * weights.scales[n], layer.w[n * inputs + k], 0.501 * weights.scales[n]);
      expected[n] += at(n, k);
    }
  }
  sum_int8(outputs, inputs, weights.packed.data(), sums.data());
  EXPECT_EQ(sums, expected);
}

}  // namespace
}  // namespace spanforge::ops
