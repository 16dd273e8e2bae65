#include "spanforge/ops/packed_linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include "spanforge/ops/activation_kernel.h"
#include "spanforge/ops/check.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/tiles.h"

namespace spanforge::ops {
namespace {

constexpr const char* kOp = "packed_linear";
constexpr int64_t kPanelBytes = 1 << 20;  // of inputs as tiles: about half of a core's L2 cache
constexpr int64_t kMostPanelRows = 512;
constexpr int64_t kTileFloats = 16;  // of K in a tile of f32
// With more rows, GEMM's own order of the weights costs less than bringing them into tiles here.
constexpr int64_t kFewRows = 128;
constexpr int64_t kPieceDepth = 8;  // pairs of tiles of a stripe, 16 KiB: a third of a core's L1

// act(x) of every bf16 x, by its bits. With this table a fused activation is a look-up, and equals
// the activation as a separate operation.
const uint16_t* activation_table(Activation activation) {
  constexpr int64_t kValues = 1 << 16;
  const auto make = [](Activation which) {
    std::vector<bf16> x(kValues), y(kValues + 1);
    for (int64_t bits = 0; bits < kValues; ++bits) x[bits].bits = static_cast<uint16_t>(bits);
    const std::vector<float> no_bias(kValues);
    activation_kernel(which, no_bias.data(), kValues, x.data(), y.data());
    std::vector<uint16_t> table(kValues + 1);  // one more, because a look-up reads two entries
    std::transform(y.begin(), y.end(), table.begin(), [](bf16 v) { return v.bits; });
    return table;
  };
  static const std::array<std::vector<uint16_t>, 3> tables = {
      make(Activation::kGelu), make(Activation::kGeluTanh), make(Activation::kRelu)};
  return tables[static_cast<size_t>(activation)].data();
}

void* cell(const Tensor& t, int64_t row, int64_t column) {
  return static_cast<std::byte*>(t.data) + (row * t.stride + column) * dtype_size(t.dtype);
}

// y = act(y), row by row.
void activate_rows(Activation activation, const Tensor& y) {
  const std::vector<float> no_bias(y.cols);
  const auto activate = [&](auto* type, int64_t begin, int64_t end) {
    using T = std::remove_pointer_t<decltype(type)>;
    T* const z = scratch<T>(Scratch::kWorker, y.cols);
    for (int64_t r = begin; r < end; ++r) {
      std::copy_n(y.row<T>(r), y.cols, z);
      activation_kernel(activation, no_bias.data(), y.cols, z, y.row<T>(r));
    }
  };
  parallel_rows(y.rows, 4, y.cols, [&](int64_t begin, int64_t end) {
    if (y.dtype == DType::kF32) {
      activate(static_cast<float*>(nullptr), begin, end);
    } else {
      activate(static_cast<bf16*>(nullptr), begin, end);
    }
  });
}

// The same products on a CPU without integer products: exact up to 2^24, then rounded.
void integers_as_f32(const uint8_t* left, const Tensor& weights, int64_t rows, int32_t* sums) {
  const int64_t n = weights.rows, k = weights.cols;
  float* const wide = scratch<float>(Scratch::kConvert, rows * (n + k));
  const Tensor x = make_tensor(wide, rows, k);
  const Tensor y = make_tensor(wide + rows * k, rows, n);
  std::copy_n(left, rows * k, wide);
  GemmOptions options;
  options.b = Transpose::kYes;
  gemm(x, weights, y, options);
  for (int64_t i = 0; i < rows * n; ++i)
    sums[i] = static_cast<int32_t>(std::lrint(y.as<float>()[i]));
}

// How a product is divided: panels of rows, each by one or more ranges of stripes.
struct Split {
  int64_t panel_rows, panels, ranges;
};
Split split_product(int64_t rows, int64_t depth, int64_t stripes, int64_t threads) {
  const int64_t fit = kPanelBytes / (depth * 64) / kStripe * kStripe;
  const int64_t most = std::clamp(fit, kStripe, kMostPanelRows);
  int64_t panels = (rows + most - 1) / most;
  // Few panels: every thread takes its part of the weights, so that they are read once.
  if (panels < 2 * threads) return {most, panels, std::min(threads, stripes)};
  panels = (panels + threads - 1) / threads * threads;
  const int64_t even = ((rows + panels - 1) / panels + kTileRows - 1) / kTileRows * kTileRows;
  return {even, (rows + even - 1) / even, 1};
}

}  // namespace

PackedLinear PackedLinear::f32(std::vector<Tensor> weights, const Tensor& bias) {
  PackedLinear layer;
  layer.form_ = Form::kF32;
  layer.plain_ = std::move(weights);
  layer.inputs_ = layer.plain_.empty() ? 0 : layer.plain_.front().cols;
  for (const Tensor& part : layer.plain_) {
    require_matrix(kOp, "weights", part, part.rows, layer.inputs_, DType::kF32);
    layer.outputs_ += part.rows;
    for (int64_t r = 0; r < part.rows; ++r) layer.rows_.push_back(part.row<float>(r));
  }
  layer.rows_.resize(packed_stripes(layer.outputs_) * kStripe, nullptr);
  layer.keep_bias(bias);
  return layer;
}

PackedLinear PackedLinear::bf16(int64_t outputs, int64_t inputs, const RowReader& weights,
                                const Tensor& bias) {
  PackedLinear layer;
  layer.form_ = Form::kBF16;
  layer.outputs_ = outputs;
  layer.inputs_ = inputs;
  if (has_bf16_tiles()) {
    layer.memory_ = allocate_aligned(packed_bytes(outputs, inputs, DType::kBF16));
    pack_bf16(outputs, inputs, weights, layer.memory_.get());
    layer.packed_ = layer.memory_.get();
  } else {
    layer.memory_ = allocate_aligned(outputs * inputs * sizeof(spanforge::bf16));
    auto* const data = reinterpret_cast<spanforge::bf16*>(layer.memory_.get());
    read_bf16(outputs, inputs, weights, data);
    layer.plain_ = {make_tensor(data, outputs, inputs)};
  }
  layer.keep_bias(bias);
  return layer;
}

PackedLinear PackedLinear::int8(int64_t outputs, int64_t inputs, const int8_t* packed,
                                const float* scales, const Tensor& bias, InputRange range) {
  require(kOp, range.zero_point >= 0 && range.zero_point <= 255, "zero_point is not a byte");
  PackedLinear layer;
  layer.form_ = Form::kInt8;
  layer.outputs_ = outputs;
  layer.inputs_ = inputs;
  layer.packed_ = reinterpret_cast<const std::byte*>(packed);
  layer.range_ = range;
  const int64_t whole = packed_stripes(outputs) * kStripe;
  layer.scales_.assign(whole, 0.0f);
  for (int64_t n = 0; n < outputs; ++n) layer.scales_[n] = scales[n] * range.scale;
  layer.shift_.assign(whole, 0);
  sum_int8(outputs, inputs, packed, layer.shift_.data());
  for (int32_t& shift : layer.shift_) shift *= range.zero_point;
  layer.keep_bias(bias);
  if (has_int8_tiles()) return layer;
  layer.memory_ = allocate_aligned(outputs * inputs * sizeof(float));
  auto* const data = reinterpret_cast<float*>(layer.memory_.get());
  unpack_int8(outputs, inputs, packed, data);
  layer.plain_ = {make_tensor(data, outputs, inputs)};
  return layer;
}

void PackedLinear::keep_bias(const Tensor& bias) {
  if (!bias.empty()) require_vector(kOp, "bias", bias, outputs_);
  bias_ = bias;
  whole_bias_.assign(packed_stripes(outputs_) * kStripe, 0.0f);
  if (!bias.empty()) std::copy_n(bias.as<float>(), outputs_, whole_bias_.data());
}

void PackedLinear::run(const Tensor& x, std::optional<Activation> activation,
                       const Tensor& y) const {
  require_matrix(kOp, "x", x, x.rows, inputs_, x.dtype);
  require_matrix(kOp, "y", y, x.rows, outputs_, x.dtype);
  if (form_ != Form::kInt8) {
    const DType dtype = form_ == Form::kF32 ? DType::kF32 : DType::kBF16;
    require_matrix(kOp, "x", x, x.rows, inputs_, dtype);
  }
  if (x.rows == 0 || outputs_ == 0) return;
  if (multiplies_tiles(x.rows)) {
    const bool look_up = activation && y.dtype == DType::kBF16;
    run_tiles(x, look_up ? activation_table(*activation) : nullptr, y);
    if (look_up) return;
  } else if (form_ == Form::kInt8) {
    run_integers(x, y);
  } else {
    run_plain(x, y);
  }
  if (activation) activate_rows(*activation, y);
}

bool PackedLinear::multiplies_tiles(int64_t rows) const {
  switch (form_) {
    case Form::kF32: return has_f32_tiles() && rows <= kFewRows;
    case Form::kBF16: return has_bf16_tiles();
    case Form::kInt8: return has_int8_tiles();
  }
  return false;
}

DType PackedLinear::tile_type() const {
  return form_ == Form::kInt8 ? DType::kS8 : form_ == Form::kBF16 ? DType::kBF16 : DType::kF32;
}

// `depth` pairs of tiles of a stripe, from pair `first` on.
const std::byte* PackedLinear::tiles_of(int64_t stripe, int64_t first, int64_t depth) const {
  if (form_ != Form::kF32) {
    const int64_t whole = packed_depth(inputs_, tile_type());
    return packed_ + (stripe * whole + first) * 2 * kTileBytes;
  }
  auto* const tiles = scratch<float>(Scratch::kPanel, depth * 2 * kTileBytes / sizeof(float));
  pack_right_f32(rows_.data() + stripe * kStripe, first * kTileFloats, inputs_, depth, tiles);
  return reinterpret_cast<const std::byte*>(tiles);
}

// The memory of those tiles; nothing after the last stripe.
Fetch PackedLinear::fetch_of(int64_t stripe, int64_t first, int64_t depth) const {
  if (stripe >= packed_stripes(outputs_)) return Fetch(nullptr, 0, 0, 0);
  if (form_ != Form::kF32) {
    return Fetch(tiles_of(stripe, first, depth), 1, depth * 2 * kTileBytes, 0);
  }
  const float* const row = rows_[stripe * kStripe];
  const int64_t stride = kStripe * stripe + 1 < outputs_ ? rows_[stripe * kStripe + 1] - row : 0;
  const int64_t taken = std::min(depth * kTileFloats, inputs_ - first * kTileFloats);
  constexpr int64_t kSize = sizeof(float);
  return Fetch(row + first * kTileFloats, std::min(kStripe, outputs_ - stripe * kStripe),
               taken * kSize, stride * kSize);
}

Quantizer PackedLinear::quantizer() const {
  return {1.0f / range_.scale, static_cast<float>(range_.zero_point)};
}

// Lays out up to 16 rows as tiles.
void PackedLinear::lay_out(const Tensor& x, std::byte* to) const {
  if (form_ == Form::kF32) {
    left_tiles_kernel(x.row<float>(0), x.stride, x.rows, inputs_, reinterpret_cast<float*>(to));
  } else if (form_ == Form::kBF16) {
    left_tiles_kernel(x.row<spanforge::bf16>(0), x.stride, x.rows, inputs_,
                      reinterpret_cast<spanforge::bf16*>(to));
  } else if (x.dtype == DType::kBF16) {
    left_tiles_kernel(x.row<spanforge::bf16>(0), x.stride, x.rows, inputs_, quantizer(),
                      reinterpret_cast<uint8_t*>(to));
  } else {
    left_tiles_kernel(x.row<float>(0), x.stride, x.rows, inputs_, quantizer(),
                      reinterpret_cast<uint8_t*>(to));
  }
}

void PackedLinear::run_tiles(const Tensor& x, const uint16_t* table, const Tensor& y) const {
  const bool bytes = form_ == Form::kInt8;
  const int64_t depth = packed_depth(inputs_, tile_type());
  const int64_t stripes = packed_stripes(outputs_);
  const Split split = split_product(x.rows, depth, stripes, worker_threads());
  const int64_t work = x.rows * outputs_ * inputs_ / 64 / (split.panels * split.ranges);
  parallel_dynamic(split.panels * split.ranges, work, [&](int64_t task) {
    const int64_t first = task / split.ranges * split.panel_rows;
    const int64_t rows = std::min(split.panel_rows, x.rows - first);
    const int64_t range = task % split.ranges;
    const int64_t tile_rows = (rows + kTileRows - 1) / kTileRows;
    const int64_t panel = tile_rows * depth * kTileBytes;
    auto* const left =
        scratch<std::byte>(Scratch::kPacked, panel + (tile_rows + 1) * kTileRows * kStripe * 4);
    std::byte* const sums = left + panel;
    for (int64_t t = 0; t < tile_rows; ++t) {
      const int64_t row = t * kTileRows;
      lay_out(x.row_range(first + row, std::min(kTileRows, rows - row)),
              left + t * depth * kTileBytes);
    }
    const TileSession session;
    for (int64_t s = stripes * range / split.ranges; s < stripes * (range + 1) / split.ranges;
         ++s) {
      const int64_t column = s * kStripe;
      const int64_t columns = std::min(kStripe, outputs_ - column);
      multiply_stripe(left, rows, s, sums);
      sums_to_output_kernel({sums, kStripe, rows, columns, whole_bias_.data() + column,
                             bytes ? scales_.data() + column : nullptr,
                             bytes ? shift_.data() + column : nullptr, table,
                             cell(y, first, column), y.stride, y.dtype});
    }
  });
}

// Multiplies all rows of a panel by one stripe, in pieces along the inputs. A piece of the stripe
// stays in the nearest cache while the panel passes, and the next piece is prefetched, because a
// stripe comes from far away. Each stripe is read at most once per panel.
void PackedLinear::multiply_stripe(const std::byte* left, int64_t rows, int64_t stripe,
                                   std::byte* sums) const {
  const int64_t tile_rows = (rows + kTileRows - 1) / kTileRows;
  const int64_t depth = packed_depth(inputs_, tile_type());
  const int64_t pieces = (depth + kPieceDepth - 1) / kPieceDepth;
  const auto begin_of = [&](int64_t piece) { return depth * piece / pieces; };
  const int64_t calls = (tile_rows + 1) / 2;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t first = begin_of(piece), end = begin_of(piece + 1);
    const std::byte* const right = tiles_of(stripe, first, end - first);
    Fetch next = piece + 1 < pieces ? fetch_of(stripe, end, begin_of(piece + 2) - end)
                                    : fetch_of(stripe + 1, 0, begin_of(1));
    next.spread_over(calls * (end - first));
    for (int64_t t = 0; t < tile_rows; t += 2) {
      const TileProduct product{left + (t * depth + first) * kTileBytes,
                                depth * kTileBytes,
                                right,
                                end - first,
                                std::min(kStripe, rows - t * kTileRows),
                                piece > 0,
                                sums + t * kTileRows * kStripe * 4,
                                &next};
      switch (form_) {
        case Form::kF32: multiply_tiles_f32(product); break;
        case Form::kBF16: multiply_tiles_bf16(product); break;
        case Form::kInt8: multiply_tiles_u8s8(product); break;
      }
    }
  }
}

void PackedLinear::run_plain(const Tensor& x, const Tensor& y) const {
  int64_t column = 0;
  for (const Tensor& part : plain_) {
    GemmOptions options;
    options.b = Transpose::kYes;
    if (!bias_.empty()) options.bias = make_tensor(bias_.as<float>() + column, 1, part.rows);
    gemm(x, part, y.columns(column, part.rows), options);
    column += part.rows;
  }
}

void PackedLinear::run_integers(const Tensor& x, const Tensor& y) const {
  const int64_t left_bytes = (x.rows * inputs_ + 63) / 64 * 64;
  auto* const memory =
      scratch<std::byte>(Scratch::kPacked, left_bytes + x.rows * outputs_ * sizeof(int32_t) + 64);
  auto* const left = reinterpret_cast<uint8_t*>(memory);
  parallel_rows(x.rows, 4, inputs_, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      if (x.dtype == DType::kBF16) {
        quantize_kernel(x.row<spanforge::bf16>(r), inputs_, quantizer(), left + r * inputs_);
      } else {
        quantize_kernel(x.row<float>(r), inputs_, quantizer(), left + r * inputs_);
      }
    }
  });
  auto* const sums = reinterpret_cast<int32_t*>(memory + left_bytes);
  integers_as_f32(left, plain_.front(), x.rows, sums);
  parallel_rows(x.rows, 4, outputs_, [&](int64_t begin, int64_t end) {
    sums_to_output_kernel({sums + begin * outputs_, outputs_, end - begin, outputs_,
                           whole_bias_.data(), scales_.data(), shift_.data(), nullptr,
                           cell(y, begin, 0), y.stride, y.dtype});
  });
}

}  // namespace spanforge::ops
