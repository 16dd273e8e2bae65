#pragma once
// What: Weights W [out, in] in the layout that packed linear layers read and int8 models store.
// Layout: Stripes of 32 outputs, one after the other. A stripe is a row of pairs of tiles, a pair
//   for every 64 bytes of inputs (32 bf16 or 64 s8). The first tile has the stripe's outputs 0 to
//   15, the second 16 to 31. A tile is 16 rows of 64 bytes: row g holds the inputs 4 g .. 4 g + 3
//   (s8) or 2 g, 2 g + 1 (bf16) of each of the 16 outputs in turn. Zeros fill the rest. As a
//   row-major array of s8: [stripe, pair, 2, 16, 16, 4].

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

int64_t packed_stripes(int64_t outputs);
int64_t packed_depth(int64_t inputs, DType dtype);  // pairs of tiles in a stripe; for bf16 or s8
int64_t packed_bytes(int64_t outputs, int64_t inputs, DType dtype);

// Writes rows [first, first + count) of a matrix to `to`. Several threads call it at the same time.
using RowReader = std::function<void(int64_t first, int64_t count, float* to)>;

void pack_bf16(int64_t outputs, int64_t inputs, const RowReader& weights, std::byte* packed);
void read_bf16(int64_t outputs, int64_t inputs, const RowReader& weights, bf16* plain);

// Symmetric s8 weights: scale = the output's largest magnitude / 127, at least a tiny number.
struct Int8Weights {
  std::vector<int8_t> packed;
  std::vector<float> scales;  // [outputs]
};
Int8Weights quantize_weights(int64_t outputs, int64_t inputs, const RowReader& weights);

// Converts back to [out, in]. T: int8_t or float.
template <class T>
void unpack_int8(int64_t outputs, int64_t inputs, const int8_t* packed, T* plain);
// sums[n]: the sum of all weights of output n.
void sum_int8(int64_t outputs, int64_t inputs, const int8_t* packed, int32_t* sums);

}  // namespace spanforge::ops
