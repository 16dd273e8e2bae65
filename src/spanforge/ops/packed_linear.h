#pragma once
// What: y = act(x W^T + b) with weights that are prepared once, for answering only. A value is one
//   layer in one of three forms:
//   f32    uses the weights where they are: for few rows, brings them into tiles piece by piece
//          and prefetches the next piece; for many rows, calls GEMM;
//   bf16   weights in the layout of the CPU's tiles, or plain for GEMM if the CPU has none;
//   int8   u8 inputs by s8 weights, exact sums in i32. y = sum * input scale * output scale + b.
// Layout: packed_layout.h.
// Dtypes: f32: x and y f32. bf16: x and y bf16. int8: x and y both bf16 or both f32.
// Threads: const methods are concurrent.
// CPUs: If the CPU has no u8 x s8 products that do not saturate, int8 layers multiply the same
//   integers in f32. Answers equal those of every other CPU.

#include <cstdint>
#include <optional>
#include <vector>

#include "spanforge/ops/activation.h"
#include "spanforge/ops/packed_kernel.h"
#include "spanforge/ops/packed_layout.h"
#include "spanforge/ops/tiles.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// Inputs of an int8 layer: u8 = round(x / scale) + zero_point.
struct InputRange {
  float scale = 1;
  int32_t zero_point = 0;  // 0 to 255
};

class PackedLinear {
 public:
  PackedLinear() = default;

  // W is these matrices, stacked by rows. They and the bias, which may be empty, must outlive the
  // layer.
  static PackedLinear f32(std::vector<Tensor> weights, const Tensor& bias);
  static PackedLinear bf16(int64_t outputs, int64_t inputs, const RowReader& weights,
                           const Tensor& bias);
  // packed: packed_bytes() bytes, which must outlive the layer; scales: one per output.
  static PackedLinear int8(int64_t outputs, int64_t inputs, const int8_t* packed,
                           const float* scales, const Tensor& bias, InputRange range);

  int64_t outputs() const { return outputs_; }
  int64_t inputs() const { return inputs_; }

  void operator()(const Tensor& x, const Tensor& y) const { run(x, std::nullopt, y); }
  void operator()(const Tensor& x, Activation activation, const Tensor& y) const {
    run(x, activation, y);
  }

 private:
  enum class Form { kF32, kBF16, kInt8 };
  void run(const Tensor& x, std::optional<Activation> activation, const Tensor& y) const;
  bool multiplies_tiles(int64_t rows) const;
  DType tile_type() const;
  void run_tiles(const Tensor& x, const uint16_t* table, const Tensor& y) const;
  void multiply_stripe(const std::byte* left, int64_t rows, int64_t stripe, std::byte* sums) const;
  void run_plain(const Tensor& x, const Tensor& y) const;
  void run_integers(const Tensor& x, const Tensor& y) const;
  const std::byte* tiles_of(int64_t stripe, int64_t first, int64_t depth) const;
  Fetch fetch_of(int64_t stripe, int64_t first, int64_t depth) const;
  Quantizer quantizer() const;
  void lay_out(const Tensor& x, std::byte* to) const;
  void keep_bias(const Tensor& bias);

  Form form_ = Form::kF32;
  int64_t outputs_ = 0, inputs_ = 0;
  std::vector<Tensor> plain_;       // weights for GEMM
  std::vector<const float*> rows_;  // f32: rows of W, with nulls up to a whole stripe
  AlignedBytes memory_;             // of packed_ or plain_, unless the caller owns it
  const std::byte* packed_ = nullptr;
  Tensor bias_;                    // as given
  std::vector<float> whole_bias_;  // with zeros up to a whole stripe, like the next two
  std::vector<float> scales_;      // int8: input scale * output scale
  std::vector<int32_t> shift_;     // int8: zero point * sum of an output's weights
  InputRange range_;
};

}  // namespace spanforge::ops
