// Helpers of the kernels, compiled once per target (so there is no #pragma once: the guard
// toggles). Vectors hold float; f32 and bf16 memory differ only in load and store.
// A loop over n elements is for_vectors(n, body). It calls body(j, Full{}) for whole vectors and at
// most once body(j, Part{count}) for the rest. A part loads zeros after count and stores nothing
// there.

#if defined(SPANFORGE_OPS_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SPANFORGE_OPS_SIMD_INL_H_
#undef SPANFORGE_OPS_SIMD_INL_H_
#else
#define SPANFORGE_OPS_SIMD_INL_H_
#endif

#include <cmath>
#include <cstdint>
#include <cstring>

#include <hwy/highway.h>

#include "spanforge/tensor/tensor.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using U = hn::RebindToUnsigned<F>;
using I = hn::RebindToSigned<F>;
using U16 = hn::Rebind<uint16_t, F>;
using V = hn::Vec<F>;

HWY_INLINE int64_t lanes() { return static_cast<int64_t>(hn::Lanes(F())); }
constexpr int64_t kMaxLanes = HWY_MAX_BYTES / 4;
HWY_INLINE V broadcast(float x) { return hn::Set(F(), x); }

struct Full {};
struct Part {
  int64_t count;
};

template <class Body>
HWY_INLINE void for_vectors(int64_t n, const Body& body) {
  const int64_t step = lanes();
  int64_t j = 0;
  for (; j + step <= n; j += step) body(j, Full{});
  if (j < n) body(j, Part{n - j});
}

HWY_INLINE V widen(hn::Vec<U16> bits) {
  return hn::BitCast(F(), hn::ShiftLeft<16>(hn::PromoteTo(U(), bits)));
}

// Rounds as to_bf16 does.
HWY_INLINE hn::Vec<U16> narrow(V x) {
  const U u;
  const auto bits = hn::BitCast(u, x);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(u, 1));
  const auto rounded = hn::Add(bits, hn::Add(odd, hn::Set(u, 0x7FFF)));
  const auto quiet = hn::Or(bits, hn::Set(u, 0x00400000));
  const auto chosen = hn::IfThenElse(hn::RebindMask(u, hn::IsNaN(x)), quiet, rounded);
  return hn::DemoteTo(U16(), hn::BitCast(I(), hn::ShiftRight<16>(chosen)));
}

HWY_INLINE V load(const float* p, Full = {}) { return hn::LoadU(F(), p); }
HWY_INLINE V load(const bf16* p, Full = {}) {
  return widen(hn::LoadU(U16(), reinterpret_cast<const uint16_t*>(p)));
}
HWY_INLINE V load(const float* p, Part part) {
  HWY_ALIGN float buffer[kMaxLanes] = {};
  std::memcpy(buffer, p, static_cast<size_t>(part.count) * sizeof(float));
  return hn::Load(F(), buffer);
}
HWY_INLINE V load(const bf16* p, Part part) {
  HWY_ALIGN uint16_t buffer[kMaxLanes] = {};
  std::memcpy(buffer, p, static_cast<size_t>(part.count) * sizeof(uint16_t));
  return widen(hn::Load(U16(), buffer));
}

HWY_INLINE void store(V x, float* p, Full = {}) { hn::StoreU(x, F(), p); }
HWY_INLINE void store(V x, bf16* p, Full = {}) {
  hn::StoreU(narrow(x), U16(), reinterpret_cast<uint16_t*>(p));
}
HWY_INLINE void store(V x, float* p, Part part) {
  HWY_ALIGN float buffer[kMaxLanes];
  hn::Store(x, F(), buffer);
  std::memcpy(p, buffer, static_cast<size_t>(part.count) * sizeof(float));
}
HWY_INLINE void store(V x, bf16* p, Part part) {
  HWY_ALIGN uint16_t buffer[kMaxLanes];
  hn::Store(narrow(x), U16(), buffer);
  std::memcpy(p, buffer, static_cast<size_t>(part.count) * sizeof(uint16_t));
}

// x as memory of type T would return it.
template <class T>
HWY_INLINE V as_stored(V x) {
  if constexpr (sizeof(T) == sizeof(bf16)) return widen(narrow(x));
  return x;
}

// x with zero beyond the part's end.
HWY_INLINE V clip(V x, Full) { return x; }
HWY_INLINE V clip(V x, Part part) {
  return hn::IfThenElseZero(hn::FirstN(F(), static_cast<size_t>(part.count)), x);
}

HWY_INLINE float sum_of_lanes(V x) { return hn::GetLane(hn::SumOfLanes(F(), x)); }
HWY_INLINE float max_of_lanes(V x) { return hn::GetLane(hn::MaxOfLanes(F(), x)); }

// e^x to about one unit in the last place. x = k ln 2 + r with |r| <= ln 2 / 2; e^r by a
// polynomial fitted for least relative error. NaN gives NaN: if one operand of x86's maximum or
// minimum is NaN, it returns the second, so x is the second.
struct ExpParts {
  V power;              // e^r
  hn::Vec<I> exponent;  // k
};
HWY_INLINE ExpParts exp_parts(V x) {
  const V k = hn::Round(hn::Mul(x, broadcast(1.44269504f)));
  V r = hn::NegMulAdd(k, broadcast(0.693359375f), x);
  r = hn::NegMulAdd(k, broadcast(-2.12194440e-4f), r);
  V p = broadcast(0.0013813144760206342f);
  p = hn::MulAdd(p, r, broadcast(0.008369418792426586f));
  p = hn::MulAdd(p, r, broadcast(0.04166845604777336f));
  p = hn::MulAdd(p, r, broadcast(0.16666515171527863f));
  p = hn::MulAdd(p, r, broadcast(0.4999999403953552f));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), broadcast(1.0f));
  return {p, hn::ConvertTo(I(), k)};
}
HWY_INLINE V power_of_two(hn::Vec<I> k) {
  return hn::BitCast(F(), hn::ShiftLeft<23>(hn::Add(k, hn::Set(I(), 127))));
}
constexpr float kLeastExponent = -87.33654f;  // below, e^x is subnormal and becomes zero

// For x <= 0, or slightly above.
HWY_INLINE V exp_nonpositive(V x) {
  const V low = broadcast(kLeastExponent);
  const ExpParts e = exp_parts(hn::Max(low, x));
  return hn::IfThenZeroElse(hn::Lt(x, low), hn::Mul(e.power, power_of_two(e.exponent)));
}

// For any x; infinity where e^x overflows.
HWY_INLINE V exp_any(V x) {
  const V low = broadcast(kLeastExponent);
  const V high = broadcast(88.72283f);
  const ExpParts e = exp_parts(hn::Min(high, hn::Max(low, x)));
  // 2^k as two factors, because k may be 128.
  const auto half = hn::ShiftRight<1>(e.exponent);
  const V scaled = hn::Mul(e.power, power_of_two(half));
  const V result = hn::Mul(scaled, power_of_two(hn::Sub(e.exponent, half)));
  const V above = hn::IfThenElse(hn::Gt(x, high), broadcast(HUGE_VALF), result);
  return hn::IfThenElse(hn::Lt(x, low), hn::Zero(F()), above);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // include guard
