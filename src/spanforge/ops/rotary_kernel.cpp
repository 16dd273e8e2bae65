#include "spanforge/ops/rotary_kernel.h"

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/rotary_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

template <class T>
void rotate(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads, T* x) {
  const V factor = broadcast(sign);
  for (int64_t head = 0; head < heads; ++head, x += 2 * n) {
    for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
      const V c = load(cosines + j, part);
      const V s = hn::Mul(load(sines + j, part), factor);
      const V a = load(x + j, part);
      const V b = load(x + n + j, part);
      store(hn::Sub(hn::Mul(a, c), hn::Mul(b, s)), x + j, part);
      store(hn::Add(hn::Mul(b, c), hn::Mul(a, s)), x + n + j, part);
    });
  }
}

}  // namespace

void rotate_f32(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                float* x) {
  rotate(cosines, sines, sign, n, heads, x);
}
void rotate_bf16(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                 bf16* x) {
  rotate(cosines, sines, sign, n, heads, x);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(rotate_f32);
HWY_EXPORT(rotate_bf16);

void rotary_kernel(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                   float* x) {
  HWY_DYNAMIC_DISPATCH(rotate_f32)(cosines, sines, sign, n, heads, x);
}
void rotary_kernel(const float* cosines, const float* sines, float sign, int64_t n, int64_t heads,
                   bf16* x) {
  HWY_DYNAMIC_DISPATCH(rotate_bf16)(cosines, sines, sign, n, heads, x);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
