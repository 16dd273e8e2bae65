#include "spanforge/ops/update_kernel.h"

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/update_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {

using D64 = hn::ScalableTag<double>;
using F32Half = hn::Rebind<float, D64>;

// torch's single-tensor path: add(param, alpha = weight decay), add_(grad, alpha = -lr), each as
// one fused multiply-add.
void sgd_row(float* HWY_RESTRICT p, const float* HWY_RESTRICT g, bf16* HWY_RESTRICT shadow,
             int64_t n, const SgdFactors& f) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V old_p = load(p + j, part);
    const V scaled = hn::Mul(load(g + j, part), broadcast(f.gradient_scale));
    const V grad = hn::MulAdd(old_p, broadcast(f.weight_decay), scaled);
    const V new_p = hn::MulAdd(grad, broadcast(f.negative_rate), old_p);
    store(new_p, p + j, part);
    if (shadow != nullptr) store(new_p, shadow + j, part);
  });
}

void add_squares_row(const float* HWY_RESTRICT g, int64_t n, double* HWY_RESTRICT sums) {
  const D64 d;
  const auto step = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + step <= n; j += step) {
    const auto v = hn::PromoteTo(d, hn::LoadU(F32Half(), g + j));
    hn::StoreU(hn::MulAdd(v, v, hn::LoadU(d, sums + j)), d, sums + j);
  }
  for (; j < n; ++j) sums[j] += static_cast<double>(g[j]) * static_cast<double>(g[j]);
}

template <class Where>
HWY_INLINE V update_of(const float* g, const float* column_factors, float row_factor, float scale,
                       Where part) {
  const V factor = hn::Mul(broadcast(row_factor), load(column_factors, part));
  return hn::Mul(factor, hn::Mul(load(g, part), broadcast(scale)));
}

double adafactor_squares_row(const float* HWY_RESTRICT g, const float* HWY_RESTRICT column_factors,
                             float row_factor, float gradient_scale, int64_t n) {
  const D64 d;
  auto low = hn::Zero(d), high = hn::Zero(d);
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V update =
        clip(update_of(g + j, column_factors + j, row_factor, gradient_scale, part), part);
    const auto first = hn::PromoteTo(d, hn::LowerHalf(update));
    const auto second = hn::PromoteTo(d, hn::UpperHalf(F32Half(), update));
    low = hn::MulAdd(first, first, low);
    high = hn::MulAdd(second, second, high);
  });
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

// transformers' Adafactor: mul, mul_(grad), div_, mul_(lr), add_(p, alpha), add_(-update).
void adafactor_row(float* HWY_RESTRICT p, const float* HWY_RESTRICT g,
                   const float* HWY_RESTRICT column_factors, float row_factor,
                   bf16* HWY_RESTRICT shadow, int64_t n, const AdafactorFactors& f) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    V update = update_of(g + j, column_factors + j, row_factor, f.gradient_scale, part);
    update = hn::Mul(hn::Div(update, broadcast(f.divisor)), broadcast(f.rate));
    const V old_p = load(p + j, part);
    const V kept = hn::MulAdd(old_p, broadcast(f.negative_decay), old_p);
    const V new_p = hn::Sub(kept, update);
    store(new_p, p + j, part);
    if (shadow != nullptr) store(new_p, shadow + j, part);
  });
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(sgd_row);
HWY_EXPORT(add_squares_row);
HWY_EXPORT(adafactor_squares_row);
HWY_EXPORT(adafactor_row);

void sgd_kernel(float* p, const float* g, bf16* shadow, int64_t n, const SgdFactors& factors) {
  HWY_DYNAMIC_DISPATCH(sgd_row)(p, g, shadow, n, factors);
}
void add_squares_kernel(const float* g, int64_t n, double* sums) {
  HWY_DYNAMIC_DISPATCH(add_squares_row)(g, n, sums);
}
double adafactor_squares_kernel(const float* g, const float* column_factors, float row_factor,
                                float gradient_scale, int64_t n) {
  return HWY_DYNAMIC_DISPATCH(adafactor_squares_row)(g, column_factors, row_factor, gradient_scale,
                                                     n);
}
void adafactor_kernel(float* p, const float* g, const float* column_factors, float row_factor,
                      bf16* shadow, int64_t n, const AdafactorFactors& factors) {
  HWY_DYNAMIC_DISPATCH(adafactor_row)(p, g, column_factors, row_factor, shadow, n, factors);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
