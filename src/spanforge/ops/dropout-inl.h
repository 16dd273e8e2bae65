// Dropout masks in vectors; included once per target, see simd-inl.h. dropout_bits.h defines how
// columns map to Philox words; dropout_word() is the scalar definition.

#if defined(SPANFORGE_OPS_DROPOUT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SPANFORGE_OPS_DROPOUT_INL_H_
#undef SPANFORGE_OPS_DROPOUT_INL_H_
#else
#define SPANFORGE_OPS_DROPOUT_INL_H_
#endif

#include <hwy/highway.h>

#include "spanforge/ops/dropout_bits.h"
#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {

using U64 = hn::Repartition<uint64_t, F>;

// Philox4x32-10 of one block per 64-bit lane. Words are in the low halves of the lanes. The high
// halves are undefined; the 32 x 32 bit multiplication ignores them.
struct PhiloxLanes {
  hn::Vec<U64> c0, c1, c2, c3;
};
HWY_INLINE PhiloxLanes philox_lanes(hn::Vec<U64> block, uint64_t key, uint64_t row_key) {
  const U64 d;
  const U u;
  const auto product = [u](hn::Vec<U64> a, uint32_t b)
                           HWY_ATTR { return hn::MulEven(hn::BitCast(u, a), hn::Set(u, b)); };
  PhiloxLanes c{block, hn::Zero(d), hn::Set(d, row_key & 0xFFFFFFFFu), hn::Set(d, row_key >> 32)};
  auto key0 = static_cast<uint32_t>(key);
  auto key1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const auto p0 = product(c.c0, 0xD2511F53u);
    const auto p1 = product(c.c2, 0xCD9E8D57u);
    const auto next0 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c.c1), hn::Set(d, key0));
    const auto next2 = hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c.c3), hn::Set(d, key1));
    c = {next0, p1, next2, p0};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return c;
}

// factors[j] = 0 or row.scale for the columns first_column + j, j in [0, n); writes up to the next
// multiple of 64 columns. first_column must be a multiple of 64.
HWY_INLINE void dropout_factors(const DropoutRow& row, uint32_t first_column, int64_t n,
                                float* HWY_RESTRICT factors) {
  const U64 d;
  const U u;
  const auto threshold = hn::Set(u, row.threshold);
  const V scale = broadcast(row.scale);
  const int64_t step = lanes() < 16 ? lanes() : 16;
  const auto even = hn::ShiftLeft<1>(hn::Iota(d, 0));  // 0, 2, 4 ...
  for (int64_t j = 0; j < n; j += 64) {
    const uint32_t first_block = (first_column + static_cast<uint32_t>(j)) / 64 * 16;
    for (int64_t b = 0; b < 16; b += step) {
      const auto blocks = hn::Add(even, hn::Set(d, first_block + static_cast<uint32_t>(b)));
      const PhiloxLanes x = philox_lanes(blocks, row.key, row.row_key);
      const PhiloxLanes y = philox_lanes(hn::Add(blocks, hn::Set(d, 1)), row.key, row.row_key);
      const auto emit = [&](hn::Vec<U64> of_even, hn::Vec<U64> of_odd, int64_t word) HWY_ATTR {
        const auto bits =
            hn::OddEven(hn::BitCast(u, hn::ShiftLeft<32>(of_odd)), hn::BitCast(u, of_even));
        // Unsigned comparison by min: keeps when max(bits, threshold) == bits.
        const auto keeps = hn::RebindMask(F(), hn::Eq(hn::Max(bits, threshold), bits));
        hn::StoreU(hn::IfThenElseZero(keeps, scale), F(), factors + j + 16 * word + b);
      };
      emit(x.c0, y.c0, 0);
      emit(x.c1, y.c1, 1);
      emit(x.c2, y.c2, 2);
      emit(x.c3, y.c3, 3);
    }
  }
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
