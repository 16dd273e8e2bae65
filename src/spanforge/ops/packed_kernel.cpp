#include "spanforge/ops/packed_kernel.h"

#include <algorithm>
#include <cstring>

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/packed_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

using U8 = hn::Rebind<uint8_t, F>;

// The sum is clamped before it is rounded, because converting a float beyond int's range is
// undefined.
HWY_INLINE hn::Vec<U8> quantized(V x, const Quantizer& q) {
  const V scaled = hn::MulAdd(x, broadcast(q.inverse_scale), broadcast(q.zero_point));
  const V clamped = hn::Min(hn::Max(scaled, hn::Zero(F())), broadcast(255.0f));
  return hn::DemoteTo(U8(), hn::NearestInt(clamped));
}

HWY_INLINE void store_bytes(hn::Vec<U8> x, uint8_t* y, Full) { hn::StoreU(x, U8(), y); }
HWY_INLINE void store_bytes(hn::Vec<U8> x, uint8_t* y, Part part) {
  HWY_ALIGN uint8_t buffer[kMaxLanes];
  hn::StoreU(x, U8(), buffer);
  std::memcpy(y, buffer, static_cast<size_t>(part.count));
}

template <class T>
HWY_INLINE void quantize(const T* x, int64_t n, const Quantizer& q, uint8_t* y) {
  for_vectors(n, [&](int64_t j, auto part)
                     HWY_ATTR { store_bytes(quantized(load(x + j, part), q), y + j, part); });
}

template <class T>
HWY_INLINE void left_tiles(const T* x, int64_t stride, int64_t rows, int64_t n, const Quantizer& q,
                           uint8_t* tiles) {
  constexpr int64_t kWidth = 64, kTile = 16 * kWidth;
  for (int64_t r = 0; r < 16; ++r) {
    uint8_t* to = tiles + r * kWidth;
    for (int64_t j = 0; j < n; j += kWidth, to += kTile) {
      const int64_t count = r < rows ? std::min(kWidth, n - j) : 0;
      if (count < kWidth) std::memset(to, 0, kWidth);
      quantize(x + r * stride + j, count, q, to);
    }
  }
}

// One f32 or i32 vector of sums as f32.
HWY_INLINE V sums_at(const SumsToOutput& b, int64_t r, int64_t j, bool) {
  return hn::LoadU(F(), static_cast<const float*>(b.sums) + r * b.sums_stride + j);
}
HWY_INLINE V sums_at(const SumsToOutput& b, int64_t r, int64_t j, int) {
  const I i;
  const auto sums = hn::LoadU(i, static_cast<const int32_t*>(b.sums) + r * b.sums_stride + j);
  return hn::ConvertTo(F(), hn::Sub(sums, hn::LoadU(i, b.shift + j)));
}

template <class Part>
HWY_INLINE void store_looked_up(V x, const uint16_t* table, bf16* y, Part part) {
  const I i;
  const auto index = hn::BitCast(i, hn::PromoteTo(U(), narrow(x)));
  const auto pairs =
      hn::GatherOffset(i, reinterpret_cast<const int32_t*>(table), hn::ShiftLeft<1>(index));
  const V wide = hn::BitCast(F(), hn::ShiftLeft<16>(pairs));
  store(wide, y, part);
}

template <class Integer, bool kTable, class Y>
HWY_INLINE void output(const SumsToOutput& b) {
  for (int64_t r = 0; r < b.rows; ++r) {
    Y* const y = static_cast<Y*>(b.y) + r * b.y_stride;
    for_vectors(b.cols, [&](int64_t j, auto part) HWY_ATTR {
      V value = sums_at(b, r, j, Integer{});
      const V bias = hn::LoadU(F(), b.bias + j);
      value = b.scale != nullptr ? hn::MulAdd(value, hn::LoadU(F(), b.scale + j), bias)
                                 : hn::Add(value, bias);
      if constexpr (kTable) {
        store_looked_up(value, b.table, y + j, part);
      } else {
        store(value, y + j, part);
      }
    });
  }
}

template <class Integer>
HWY_INLINE void output_any(const SumsToOutput& b) {
  if (b.y_type == DType::kF32) return output<Integer, false, float>(b);
  return b.table != nullptr ? output<Integer, true, bf16>(b) : output<Integer, false, bf16>(b);
}

}  // namespace

void quantize_f32(const float* x, int64_t n, const Quantizer& q, uint8_t* y) {
  quantize(x, n, q, y);
}
void quantize_bf16(const bf16* x, int64_t n, const Quantizer& q, uint8_t* y) {
  quantize(x, n, q, y);
}
void left_tiles_f32(const float* x, int64_t stride, int64_t rows, int64_t n, const Quantizer& q,
                    uint8_t* tiles) {
  left_tiles(x, stride, rows, n, q, tiles);
}
void left_tiles_bf16(const bf16* x, int64_t stride, int64_t rows, int64_t n, const Quantizer& q,
                     uint8_t* tiles) {
  left_tiles(x, stride, rows, n, q, tiles);
}
void sums_to_output(const SumsToOutput& b) {
  b.shift != nullptr ? output_any<int>(b) : output_any<bool>(b);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {
HWY_EXPORT(quantize_f32);
HWY_EXPORT(quantize_bf16);
HWY_EXPORT(left_tiles_f32);
HWY_EXPORT(left_tiles_bf16);
HWY_EXPORT(sums_to_output);

void quantize_kernel(const float* x, int64_t n, const Quantizer& q, uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(quantize_f32)(x, n, q, y);
}
void quantize_kernel(const bf16* x, int64_t n, const Quantizer& q, uint8_t* y) {
  HWY_DYNAMIC_DISPATCH(quantize_bf16)(x, n, q, y);
}
void sums_to_output_kernel(const SumsToOutput& block) {
  HWY_DYNAMIC_DISPATCH(sums_to_output)(block);
}

namespace {

template <class T>
void copy_left_tiles(const T* x, int64_t stride, int64_t rows, int64_t n, T* tiles) {
  constexpr int64_t kWidth = 64 / sizeof(T), kTile = 16 * kWidth;
  for (int64_t r = 0; r < 16; ++r) {
    T* to = tiles + r * kWidth;
    for (int64_t j = 0; j < n; j += kWidth, to += kTile) {
      const int64_t count = r < rows ? std::min(kWidth, n - j) : 0;
      if (count == kWidth) {
        std::memcpy(to, x + r * stride + j, kWidth * sizeof(T));
        continue;
      }
      std::fill_n(to, kWidth, T{});
      if (count > 0) std::copy_n(x + r * stride + j, count, to);
    }
  }
}

}  // namespace

void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, bf16* tiles) {
  copy_left_tiles(x, stride, rows, n, tiles);
}
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* tiles) {
  copy_left_tiles(x, stride, rows, n, tiles);
}
void left_tiles_kernel(const float* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles) {
  HWY_DYNAMIC_DISPATCH(left_tiles_f32)(x, stride, rows, n, quantizer, tiles);
}
void left_tiles_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n,
                       const Quantizer& quantizer, uint8_t* tiles) {
  HWY_DYNAMIC_DISPATCH(left_tiles_bf16)(x, stride, rows, n, quantizer, tiles);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
