#include "spanforge/ops/tiles_kinds.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cstring>

#include <hwy/base.h>

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's intrinsics initialise undefined vectors with themselves.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include "spanforge/ops/transpose_avx512-inl.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni")
namespace spanforge::ops {
namespace {

// Rows of the result computed together. With two vectors of 16 columns each, 16 sums stay in
// registers, which is more than the additions' latency times their rate.
constexpr int64_t kRowsAtOnce = 8;
constexpr int64_t kVector = 64;  // bytes

// The element type of sums, and sum += left (the same four bytes for all columns) x right.
struct Bf16Sums {
  using Vector = __m512;
  static HWY_INLINE Vector load(const std::byte* from) { return _mm512_load_ps(from); }
  static HWY_INLINE Vector zero() { return _mm512_setzero_ps(); }
  static HWY_INLINE void store(Vector x, std::byte* to) { _mm512_store_ps(to, x); }
  static HWY_INLINE Vector add(Vector sum, __m512i left, __m512i right) {
    return _mm512_dpbf16_ps(sum, (__m512bh)left, (__m512bh)right);
  }
};
struct F32Sums : Bf16Sums {
  static HWY_INLINE Vector add(Vector sum, __m512i left, __m512i right) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(left), _mm512_castsi512_ps(right), sum);
  }
};
struct ByteSums {
  using Vector = __m512i;
  static HWY_INLINE Vector load(const std::byte* from) { return _mm512_load_si512(from); }
  static HWY_INLINE Vector zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE void store(Vector x, std::byte* to) { _mm512_store_si512(to, x); }
  static HWY_INLINE Vector add(Vector sum, __m512i left, __m512i right) {
    return _mm512_dpbusd_epi32(sum, left, right);
  }
};

HWY_INLINE __m512i group_of(const std::byte* left) {
  int32_t group;
  std::memcpy(&group, left, sizeof(group));
  return _mm512_set1_epi32(group);
}

// Rows [first, first + kRows) of the product. Passes over the same tiles share the prefetching.
template <class Sums, int kRows>
HWY_INLINE void multiply_rows(const TileProduct& p, int64_t first, int64_t passes) {
  using Vector = typename Sums::Vector;
  const std::byte* left = p.left + first / kTileRows * p.left_stride + first % kTileRows * kVector;
  const std::byte* right = p.right;
  std::byte* const result = static_cast<std::byte*>(p.result) + first * 2 * kVector;
  Vector low[kRows], high[kRows];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    low[r] = p.accumulate ? Sums::load(result + r * 2 * kVector) : Sums::zero();
    high[r] = p.accumulate ? Sums::load(result + r * 2 * kVector + kVector) : Sums::zero();
  }
  int64_t until_fetch = first / kRowsAtOnce;
  for (int64_t k = 0; k < p.depth; ++k) {
    if (p.fetch != nullptr && until_fetch-- == 0) {
      p.fetch->next();
      until_fetch = passes - 1;
    }
    // The weights of a mapped file may have any address.
    for (int64_t g = 0; g < kTileRows; ++g) {
      const __m512i right_low = _mm512_loadu_si512(right + g * kVector);
      const __m512i right_high = _mm512_loadu_si512(right + kTileBytes + g * kVector);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const __m512i group = group_of(left + r * kVector + g * 4);
        low[r] = Sums::add(low[r], group, right_low);
        high[r] = Sums::add(high[r], group, right_high);
      }
    }
    left += kTileBytes;
    right += 2 * kTileBytes;
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    Sums::store(low[r], result + r * 2 * kVector);
    Sums::store(high[r], result + r * 2 * kVector + kVector);
  }
}

template <class Sums>
HWY_INLINE void multiply(const TileProduct& p) {
  const int64_t passes = (p.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  int64_t first = 0;
  for (; first + kRowsAtOnce <= p.rows; first += kRowsAtOnce) {
    multiply_rows<Sums, kRowsAtOnce>(p, first, passes);
  }
  switch (p.rows - first) {
    case 1: return multiply_rows<Sums, 1>(p, first, passes);
    case 2: return multiply_rows<Sums, 2>(p, first, passes);
    case 3: return multiply_rows<Sums, 3>(p, first, passes);
    case 4: return multiply_rows<Sums, 4>(p, first, passes);
    case 5: return multiply_rows<Sums, 5>(p, first, passes);
    case 6: return multiply_rows<Sums, 6>(p, first, passes);
    case 7: return multiply_rows<Sums, 7>(p, first, passes);
    default: return;
  }
}

}  // namespace

void multiply_bf16_avx512(const TileProduct& p) { multiply<Bf16Sums>(p); }
void multiply_u8s8_avx512(const TileProduct& p) { multiply<ByteSums>(p); }
void multiply_f32_avx512(const TileProduct& p) { multiply<F32Sums>(p); }

void pack_right_f32(const float* const* rows, int64_t first, int64_t count, int64_t depth,
                    float* tiles) {
  for (int64_t tile = 0; tile < 2 * depth; ++tile, tiles += kTileBytes / 4) {
    const int64_t k = first + tile / 2 * 16;
    const int64_t left = count - k;
    const auto mask =
        static_cast<__mmask16>(left >= 16 ? 0xffff : (1 << (left > 0 ? left : 0)) - 1);
    Words x;
    for (int64_t i = 0; i < 16; ++i) {
      const float* const row = rows[tile % 2 * 16 + i];
      x[i] = row != nullptr ? _mm512_maskz_loadu_epi32(mask, row + k) : _mm512_setzero_si512();
    }
    transpose(x);
    for (int64_t i = 0; i < 16; ++i) _mm512_store_si512(tiles + 16 * i, x[i]);
  }
}

}  // namespace spanforge::ops
HWY_POP_ATTRIBUTES

#endif
