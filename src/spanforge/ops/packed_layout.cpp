#include "spanforge/ops/packed_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "spanforge/ops/runtime.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

constexpr int64_t kTileOutputs = 16;
constexpr int64_t kStripeOutputs = 2 * kTileOutputs;
constexpr int64_t kRowBytes = 64;
constexpr int64_t kGroupBytes = 4;
constexpr int64_t kTile = kTileOutputs * kRowBytes;

// Calls body(first, count, rows): a stripe's rows as f32.
template <class Body>
void for_stripes(int64_t outputs, int64_t inputs, const RowReader& weights, const Body& body) {
  parallel_dynamic(packed_stripes(outputs), kStripeOutputs * inputs, [&](int64_t s) {
    const int64_t first = s * kStripeOutputs;
    const int64_t count = std::min(kStripeOutputs, outputs - first);
    float* const rows = scratch<float>(Scratch::kPacked, kStripeOutputs * inputs);
    weights(first, count, rows);
    body(first, count, rows);
  });
}

// Copies one output's weights, `groups` of 4 bytes, to their places. `to`: the output's group 0.
void place_row(const std::byte* row, int64_t groups, std::byte* to) {
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t pair = g / kTileOutputs;
    std::memcpy(to + pair * 2 * kTile + g % kTileOutputs * kRowBytes, row + g * kGroupBytes,
                kGroupBytes);
  }
}

// The place of output n's group 0.
int64_t place_of(int64_t output, int64_t depth) {
  const int64_t stripe = output / kStripeOutputs, within = output % kStripeOutputs;
  return stripe * depth * 2 * kTile + within / kTileOutputs * kTile +
         within % kTileOutputs * kGroupBytes;
}

// Calls body(output, input, weight) for all weights of the matrix in one stripe.
template <class Body>
void for_weights(int64_t outputs, int64_t inputs, const int8_t* packed, int64_t stripe,
                 const Body& body) {
  const int64_t depth = packed_depth(inputs, DType::kS8);
  const int64_t first = stripe * kStripeOutputs;
  const int64_t end = std::min(outputs, first + kStripeOutputs);
  for (int64_t n = first; n < end; ++n) {
    const int8_t* const from = packed + place_of(n, depth);
    for (int64_t k = 0; k < inputs; ++k) {
      const int64_t pair = k / kRowBytes, group = k % kRowBytes / kGroupBytes;
      body(n, k, from[pair * 2 * kTile + group * kRowBytes + k % kGroupBytes]);
    }
  }
}

}  // namespace

int64_t packed_stripes(int64_t outputs) { return (outputs + kStripeOutputs - 1) / kStripeOutputs; }
int64_t packed_depth(int64_t inputs, DType dtype) {
  const int64_t width = kRowBytes / static_cast<int64_t>(dtype_size(dtype));
  return (inputs + width - 1) / width;
}
int64_t packed_bytes(int64_t outputs, int64_t inputs, DType dtype) {
  return packed_stripes(outputs) * packed_depth(inputs, dtype) * 2 * kTile;
}

void pack_bf16(int64_t outputs, int64_t inputs, const RowReader& weights, std::byte* packed) {
  const int64_t depth = packed_depth(inputs, DType::kBF16);
  for_stripes(outputs, inputs, weights, [&](int64_t first, int64_t count, const float* rows) {
    std::memset(packed + place_of(first, depth), 0, static_cast<size_t>(depth * 2 * kTile));
    const int64_t groups = (inputs + 1) / 2;
    bf16* const row = scratch<bf16>(Scratch::kConvert, 2 * groups);
    row[2 * groups - 1] = {};
    for (int64_t r = 0; r < count; ++r) {
      convert_kernel(rows + r * inputs, row, inputs);
      place_row(reinterpret_cast<const std::byte*>(row), groups,
                packed + place_of(first + r, depth));
    }
  });
}

void read_bf16(int64_t outputs, int64_t inputs, const RowReader& weights, bf16* plain) {
  for_stripes(outputs, inputs, weights, [&](int64_t first, int64_t count, const float* rows) {
    convert_kernel(rows, plain + first * inputs, count * inputs);
  });
}

Int8Weights quantize_weights(int64_t outputs, int64_t inputs, const RowReader& weights) {
  const int64_t depth = packed_depth(inputs, DType::kS8);
  Int8Weights result;
  result.packed.assign(packed_bytes(outputs, inputs, DType::kS8), 0);
  result.scales.resize(outputs);
  for_stripes(outputs, inputs, weights, [&](int64_t first, int64_t count, const float* rows) {
    const int64_t groups = (inputs + kGroupBytes - 1) / kGroupBytes;
    std::vector<int8_t> row(groups * kGroupBytes);
    for (int64_t r = 0; r < count; ++r) {
      const float* const from = rows + r * inputs;
      float largest = 1e-20f;
      for (int64_t k = 0; k < inputs; ++k) largest = std::max(largest, std::abs(from[k]));
      const float scale = largest / 127.0f;
      for (int64_t k = 0; k < inputs; ++k) {
        row[k] = static_cast<int8_t>(std::clamp(std::nearbyint(from[k] / scale), -127.0f, 127.0f));
      }
      result.scales[first + r] = scale;
      auto* const packed = reinterpret_cast<std::byte*>(result.packed.data());
      place_row(reinterpret_cast<const std::byte*>(row.data()), groups,
                packed + place_of(first + r, depth));
    }
  });
  return result;
}

template <class T>
void unpack_int8(int64_t outputs, int64_t inputs, const int8_t* packed, T* plain) {
  parallel_blocks(packed_stripes(outputs), kStripeOutputs * inputs, [&](int64_t s) {
    for_weights(outputs, inputs, packed, s, [&](int64_t n, int64_t k, int8_t weight) {
      plain[n * inputs + k] = static_cast<T>(weight);
    });
  });
}
template void unpack_int8<int8_t>(int64_t, int64_t, const int8_t*, int8_t*);
template void unpack_int8<float>(int64_t, int64_t, const int8_t*, float*);

void sum_int8(int64_t outputs, int64_t inputs, const int8_t* packed, int32_t* sums) {
  const int64_t depth = packed_depth(inputs, DType::kS8);
  parallel_blocks(packed_stripes(outputs), kStripeOutputs * inputs, [&](int64_t s) {
    // Row by row of the tiles, in memory order. Padding is zero.
    int32_t stripe[kStripeOutputs] = {};
    const int8_t* from = packed + s * depth * 2 * kTile;
    for (int64_t tile = 0; tile < 2 * depth; ++tile) {
      int32_t* const to = stripe + tile % 2 * kTileOutputs;
      for (int64_t row = 0; row < kTileOutputs; ++row, from += kRowBytes) {
        for (int64_t n = 0; n < kTileOutputs; ++n) {
          const int8_t* const group = from + n * kGroupBytes;
          to[n] += group[0] + group[1] + group[2] + group[3];
        }
      }
    }
    const int64_t first = s * kStripeOutputs;
    std::copy_n(stripe, std::min(kStripeOutputs, outputs - first), sums + first);
  });
}

}  // namespace spanforge::ops
