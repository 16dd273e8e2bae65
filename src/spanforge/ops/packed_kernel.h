#pragma once
// The steps around the tile products of a packed linear layer: lay out rows of its input as tiles,
// and make its sums into output.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// u8 = round(x * inverse_scale) + zero_point, clamped.
struct Quantizer {
  float inverse_scale;
  float zero_point;
};

// Lays out up to 16 rows of n values as left-hand tiles of 16 rows by 64 bytes, one after the
// other along n. Zeros fill the rest.
void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, bf16* tiles);
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* tiles);
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles);
void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles);
// Quantises one row without tiles: to integers, or to the values that those represent.
void quantize_kernel(const float* x, int64_t n, const Quantizer& quantizer, uint8_t* y);
void quantize_kernel(const bf16* x, int64_t n, const Quantizer& quantizer, uint8_t* y);

// y[r,j] = table[bf16(sum[r,j] * scale[j] + bias[j])], with sums in rows of `sums_stride`. For
// integer sums, shift[j] is subtracted first. bias, scale and shift must hold whole vectors.
struct SumsToOutput {
  const void* sums;  // f32, or i32 if shift is given
  int64_t sums_stride;
  int64_t rows, cols;
  const float* bias;
  const float* scale;     // null: 1
  const int32_t* shift;   // null: f32 sums
  const uint16_t* table;  // indexed by the bits of a bf16 (65,536 entries and one more); null: none
  void* y;
  int64_t y_stride;
  DType y_type;  // f32 or bf16; bf16 if there is a table
};
void sums_to_output_kernel(const SumsToOutput& block);

}  // namespace spanforge::ops
