#include "spanforge/ops/vector_kernel.h"

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/vector_kernel.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

template <class From, class To>
void convert_any(const From* HWY_RESTRICT from, To* HWY_RESTRICT to, int64_t n) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR { store(load(from + j, part), to + j, part); });
}

template <class T>
void column_sums_any(const T* x, int64_t stride, int64_t rows, int64_t n,
                     float* HWY_RESTRICT sums) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    V sum = load(sums + j, part);
    for (int64_t r = 0; r < rows; ++r) sum = hn::Add(sum, load(x + r * stride + j, part));
    store(sum, sums + j, part);
  });
}

template <class T>
void sum_rows_any(const float* const* x, int64_t count, int64_t n, T* HWY_RESTRICT y) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    V sum = load(x[0] + j, part);
    for (int64_t i = 1; i < count; ++i) sum = hn::Add(sum, load(x[i] + j, part));
    store(sum, y + j, part);
  });
}

using D64 = hn::ScalableTag<double>;
using F32Half = hn::Rebind<float, D64>;
using U32Half = hn::Rebind<uint32_t, D64>;
using U16Quarter = hn::Rebind<uint16_t, D64>;

HWY_INLINE hn::Vec<D64> load_double(const float* p) {
  return hn::PromoteTo(D64(), hn::LoadU(F32Half(), p));
}
HWY_INLINE hn::Vec<D64> load_double(const bf16* p) {
  const auto bits = hn::LoadU(U16Quarter(), reinterpret_cast<const uint16_t*>(p));
  const auto wide = hn::ShiftLeft<16>(hn::PromoteTo(U32Half(), bits));
  return hn::PromoteTo(D64(), hn::BitCast(F32Half(), wide));
}

// Four independent sums hide the additions' latency.
template <class T>
double sum_of_squares_any(const T* x, int64_t n) {
  const D64 d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  auto s0 = hn::Zero(d), s1 = hn::Zero(d), s2 = hn::Zero(d), s3 = hn::Zero(d);
  const auto add = [&](hn::Vec<D64>& sum, int64_t at) HWY_ATTR {
    const auto v = load_double(x + at);
    sum = hn::MulAdd(v, v, sum);
  };
  int64_t j = 0;
  for (; j + 4 * step <= n; j += 4 * step) {
    add(s0, j);
    add(s1, j + step);
    add(s2, j + 2 * step);
    add(s3, j + 3 * step);
  }
  double total = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3))));
  for (; j < n; ++j) {
    float value;
    convert_any(x + j, &value, 1);
    total += static_cast<double>(value) * static_cast<double>(value);
  }
  return total;
}

// x - x is zero for finite x and NaN for the others.
template <class T>
bool all_finite_any(const T* x, int64_t n) {
  V seen = hn::Zero(F());
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V v = load(x + j, part);
    seen = hn::Add(seen, hn::Sub(v, v));
  });
  return hn::AllTrue(F(), hn::Eq(seen, hn::Zero(F())));
}

}  // namespace

void narrow_row(const float* from, bf16* to, int64_t n) { convert_any(from, to, n); }
void widen_row(const bf16* from, float* to, int64_t n) { convert_any(from, to, n); }
void column_sums_f32(const float* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  column_sums_any(x, stride, rows, n, sums);
}
void column_sums_bf16(const bf16* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  column_sums_any(x, stride, rows, n, sums);
}
void sum_rows_f32(const float* const* x, int64_t count, int64_t n, float* y) {
  sum_rows_any(x, count, n, y);
}
void sum_rows_bf16(const float* const* x, int64_t count, int64_t n, bf16* y) {
  sum_rows_any(x, count, n, y);
}
void scale_f32(float* x, int64_t n, float factor) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    store(hn::Mul(load(x + j, part), broadcast(factor)), x + j, part);
  });
}
double sum_of_squares_f32(const float* x, int64_t n) { return sum_of_squares_any(x, n); }
double sum_of_squares_bf16(const bf16* x, int64_t n) { return sum_of_squares_any(x, n); }
bool all_finite_f32(const float* x, int64_t n) { return all_finite_any(x, n); }
bool all_finite_bf16(const bf16* x, int64_t n) { return all_finite_any(x, n); }

// Memory that is only written bypasses the caches.
HWY_INLINE void store_past_caches(V x, bf16* y, Full full) {
  if (reinterpret_cast<uintptr_t>(y) % (sizeof(bf16) * hn::Lanes(F())) != 0)
    return store(x, y, full);
  hn::Stream(narrow(x), U16(), reinterpret_cast<uint16_t*>(y));
}
HWY_INLINE void store_past_caches(V x, bf16* y, Part part) { store(x, y, part); }

// torch's single-tensor path, operation by operation: mul_, lerp_ (one fused multiply-add), mul_,
// addcmul_, sqrt, div, add_, addcdiv_.
void adamw_row(float* HWY_RESTRICT p, const float* HWY_RESTRICT g, float* HWY_RESTRICT m,
               float* HWY_RESTRICT v, bf16* HWY_RESTRICT shadow, int64_t n, const AdamWFactors& f) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V grad = hn::Mul(load(g + j, part), broadcast(f.gradient_scale));
    const V kept = hn::Mul(load(p + j, part), broadcast(f.keep));
    const V old_m = load(m + j, part);
    const V new_m = hn::MulAdd(broadcast(f.one_minus_beta1), hn::Sub(grad, old_m), old_m);
    const V decayed = hn::Mul(load(v + j, part), broadcast(f.beta2));
    const V new_v = hn::MulAdd(hn::Mul(broadcast(f.one_minus_beta2), grad), grad, decayed);
    const V root = hn::Div(hn::Sqrt(new_v), broadcast(f.sqrt_correction2));
    const V denominator = hn::Add(root, broadcast(f.eps));
    const V change = hn::Div(hn::Mul(broadcast(f.negative_step), new_m), denominator);
    const V new_p = hn::Add(kept, change);
    store(new_m, m + j, part);
    store(new_v, v + j, part);
    store(new_p, p + j, part);
    if (shadow != nullptr) store_past_caches(new_p, shadow + j, part);
  });
  if (shadow != nullptr) hwy::FlushStream();
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(narrow_row);
HWY_EXPORT(widen_row);
HWY_EXPORT(column_sums_f32);
HWY_EXPORT(column_sums_bf16);
HWY_EXPORT(sum_rows_f32);
HWY_EXPORT(sum_rows_bf16);
HWY_EXPORT(scale_f32);
HWY_EXPORT(sum_of_squares_f32);
HWY_EXPORT(sum_of_squares_bf16);
HWY_EXPORT(all_finite_f32);
HWY_EXPORT(all_finite_bf16);
HWY_EXPORT(adamw_row);

void convert_kernel(const float* from, bf16* to, int64_t n) {
  HWY_DYNAMIC_DISPATCH(narrow_row)(from, to, n);
}
void convert_kernel(const bf16* from, float* to, int64_t n) {
  HWY_DYNAMIC_DISPATCH(widen_row)(from, to, n);
}
void column_sums_kernel(const float* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  HWY_DYNAMIC_DISPATCH(column_sums_f32)(x, stride, rows, n, sums);
}
void column_sums_kernel(const bf16* x, int64_t stride, int64_t rows, int64_t n, float* sums) {
  HWY_DYNAMIC_DISPATCH(column_sums_bf16)(x, stride, rows, n, sums);
}
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, float* y) {
  HWY_DYNAMIC_DISPATCH(sum_rows_f32)(x, count, n, y);
}
void sum_rows_kernel(const float* const* x, int64_t count, int64_t n, bf16* y) {
  HWY_DYNAMIC_DISPATCH(sum_rows_bf16)(x, count, n, y);
}
void scale_kernel(float* x, int64_t n, float factor) {
  HWY_DYNAMIC_DISPATCH(scale_f32)(x, n, factor);
}
double sum_of_squares_kernel(const float* x, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(sum_of_squares_f32)(x, n);
}
double sum_of_squares_kernel(const bf16* x, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(sum_of_squares_bf16)(x, n);
}
bool all_finite_kernel(const float* x, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(all_finite_f32)(x, n);
}
bool all_finite_kernel(const bf16* x, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(all_finite_bf16)(x, n);
}
void adamw_kernel(float* p, const float* g, float* m, float* v, bf16* shadow, int64_t n,
                  const AdamWFactors& factors) {
  HWY_DYNAMIC_DISPATCH(adamw_row)(p, g, m, v, shadow, n, factors);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
