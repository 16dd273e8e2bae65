#pragma once
// What stands around the tile products of a packed linear layer: its input's rows laid out as
// tiles, and its sums made into output.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// u8 = round(x * inverse_scale) + zero_point, clamped.
struct Quantizer {
  float inverse_scale;
  float zero_point;
};

// Up to 16 rows of n values as left-hand tiles of 16 rows by 64 bytes, one after the other along n;
// what is beyond the rows and columns is zero.
void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, bf16* tiles);
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* tiles);
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles);
void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles);
// One row, as it is; and as the numbers that the quantised ones stand for.
void quantize_kernel(const float* x, int64_t n, const Quantizer& quantizer, uint8_t* y);
void quantize_kernel(const bf16* x, int64_t n, const Quantizer& quantizer, uint8_t* y);

// y[r,j] = table[bf16(sum[r,j] * scale[j] + bias[j])], with sums in rows of `sums_stride`; for
// integer sums, shift[j] is taken away first. All of bias, scale and shift hold whole vectors.
struct SumsToOutput {
  const void* sums;  // f32, or i32 where shift is given
  int64_t sums_stride;
  int64_t rows, cols;
  const float* bias;
  const float* scale;     // null: 1
  const int32_t* shift;   // null: f32 sums
  const uint16_t* table;  // by the bits of a bf16 (one entry more than 65,536); null: none
  void* y;
  int64_t y_stride;
  DType y_type;  // f32 or bf16; with a table bf16
};
void sums_to_output_kernel(const SumsToOutput& block);

}  // namespace spanforge::ops
