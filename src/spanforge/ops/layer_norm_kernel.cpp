#include "spanforge/ops/layer_norm_kernel.h"

#include <algorithm>
#include <cmath>

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/layer_norm_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/dropout-inl.h"
#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

// z = residual + (x + bias) * factor; returns the vector sums of z as stored.
template <bool kBias, bool kDropout, bool kResidual, class T>
HWY_INLINE V add_inputs(const LayerNormRow<T>& r) {
  V sum = hn::Zero(F());
  for_vectors(r.n, [&](int64_t j, auto part) HWY_ATTR {
    V value = load(r.x + j, part);
    if constexpr (kBias) value = hn::Add(value, load(r.bias + j, part));
    if constexpr (kDropout) value = hn::Mul(value, load(r.factors + j, part));
    if constexpr (kResidual) value = hn::Add(value, load(r.residual + j, part));
    store(value, r.z + j, part);
    sum = hn::Add(sum, clip(as_stored<T>(value), part));
  });
  return sum;
}

template <bool kBias, bool kDropout, class T>
HWY_INLINE V add_inputs(const LayerNormRow<T>& r) {
  return r.residual != nullptr ? add_inputs<kBias, kDropout, true>(r)
                               : add_inputs<kBias, kDropout, false>(r);
}
template <bool kBias, class T>
HWY_INLINE V add_inputs(const LayerNormRow<T>& r) {
  return r.dropout.active() ? add_inputs<kBias, true>(r) : add_inputs<kBias, false>(r);
}

template <bool kBeta, class T>
HWY_INLINE void write_normalised(const LayerNormRow<T>& r, float mean, float rstd) {
  for_vectors(r.n, [&](int64_t j, auto part) HWY_ATTR {
    const V normalised = hn::Mul(hn::Sub(load(r.z + j, part), broadcast(mean)), broadcast(rstd));
    const V gamma = load(r.gamma + j, part);
    if constexpr (kBeta) {
      store(hn::MulAdd(normalised, gamma, load(r.beta + j, part)), r.y + j, part);
    } else {
      store(hn::Mul(normalised, gamma), r.y + j, part);
    }
  });
}

template <class T>
void forward(const LayerNormRow<T>& r) {
  if (r.dropout.active()) dropout_factors(r.dropout, 0, r.n, r.factors);
  const V sum = r.bias != nullptr ? add_inputs<true>(r) : add_inputs<false>(r);
  const auto n = static_cast<float>(r.n);
  const float rough_mean = sum_of_lanes(sum) / n;
  // Second pass. Deviations from the rough mean also give its rounding error.
  V deviations = hn::Zero(F());
  V squares = hn::Zero(F());
  for_vectors(r.n, [&](int64_t j, auto part) HWY_ATTR {
    const V d = clip(hn::Sub(load(r.z + j, part), broadcast(rough_mean)), part);
    deviations = hn::Add(deviations, d);
    squares = hn::MulAdd(d, d, squares);
  });
  const float missed = sum_of_lanes(deviations) / n;
  const float variance = std::max(0.0f, sum_of_lanes(squares) / n - missed * missed);
  const float mean = rough_mean + missed;
  const float rstd = 1.0f / std::sqrt(variance + r.eps);
  *r.mean = mean;
  *r.rstd = rstd;
  if (r.beta != nullptr) {
    write_normalised<true>(r, mean, rstd);
  } else {
    write_normalised<false>(r, mean, rstd);
  }
}

// With u = (z - mean) rstd and g = dy gamma: dz = rstd (g - mean(g) - u mean(g u)).
template <bool kAdd, bool kDropout, bool kDx, bool kBias, class T>
HWY_INLINE void write_gradients(const LayerNormGradientRow<T>& r, float mean_g, float mean_gu) {
  for_vectors(r.n, [&](int64_t j, auto part) HWY_ATTR {
    const V u = hn::Mul(hn::Sub(load(r.z + j, part), broadcast(r.mean)), broadcast(r.rstd));
    const V g = hn::Mul(load(r.dy + j, part), load(r.gamma + j, part));
    const V centred = hn::NegMulAdd(u, broadcast(mean_gu), hn::Sub(g, broadcast(mean_g)));
    V dz = hn::Mul(broadcast(r.rstd), centred);
    if constexpr (kAdd) dz = hn::Add(dz, load(r.dz + j, part));
    store(dz, r.dz + j, part);
    V dx = dz;
    if constexpr (kDropout) dx = hn::Mul(dz, load(r.factors + j, part));
    if constexpr (kDx) store(dx, r.dx + j, part);
    if constexpr (kBias) store(hn::Add(load(r.dbias + j, part), dx), r.dbias + j, part);
  });
}
template <bool kAdd, bool kDropout, bool kDx, class T>
HWY_INLINE void write_gradients(const LayerNormGradientRow<T>& r, float mean_g, float mean_gu) {
  return r.dbias != nullptr ? write_gradients<kAdd, kDropout, kDx, true>(r, mean_g, mean_gu)
                            : write_gradients<kAdd, kDropout, kDx, false>(r, mean_g, mean_gu);
}
template <bool kAdd, bool kDropout, class T>
HWY_INLINE void write_gradients(const LayerNormGradientRow<T>& r, float mean_g, float mean_gu) {
  return r.dx != nullptr ? write_gradients<kAdd, kDropout, true>(r, mean_g, mean_gu)
                         : write_gradients<kAdd, kDropout, false>(r, mean_g, mean_gu);
}
template <bool kDropout, class T>
HWY_INLINE void write_gradients(const LayerNormGradientRow<T>& r, float mean_g, float mean_gu) {
  return r.add_to_dz ? write_gradients<true, kDropout>(r, mean_g, mean_gu)
                     : write_gradients<false, kDropout>(r, mean_g, mean_gu);
}

template <class T>
void backward(const LayerNormGradientRow<T>& r) {
  V sum_g = hn::Zero(F());
  V sum_gu = hn::Zero(F());
  for_vectors(r.n, [&](int64_t j, auto part) HWY_ATTR {
    const V u = hn::Mul(hn::Sub(load(r.z + j, part), broadcast(r.mean)), broadcast(r.rstd));
    const V dy = load(r.dy + j, part);
    const V g = hn::Mul(dy, load(r.gamma + j, part));
    sum_g = hn::Add(sum_g, g);
    sum_gu = hn::MulAdd(g, u, sum_gu);
    store(hn::MulAdd(dy, u, load(r.dgamma + j, part)), r.dgamma + j, part);
    store(hn::Add(dy, load(r.dbeta + j, part)), r.dbeta + j, part);
  });
  const auto n = static_cast<float>(r.n);
  const float mean_g = sum_of_lanes(sum_g) / n;
  const float mean_gu = sum_of_lanes(sum_gu) / n;
  if (r.dropout.active()) {
    dropout_factors(r.dropout, 0, r.n, r.factors);
    write_gradients<true>(r, mean_g, mean_gu);
  } else {
    write_gradients<false>(r, mean_g, mean_gu);
  }
}

template <class T>
void drop(const T* x, const DropoutRow& dropout, int64_t n, float* HWY_RESTRICT factors, T* y) {
  dropout_factors(dropout, 0, n, factors);
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    store(hn::Mul(load(x + j, part), load(factors + j, part)), y + j, part);
  });
}

}  // namespace

void forward_f32(const LayerNormRow<float>& row) { forward(row); }
void forward_bf16(const LayerNormRow<bf16>& row) { forward(row); }
void backward_f32(const LayerNormGradientRow<float>& row) { backward(row); }
void backward_bf16(const LayerNormGradientRow<bf16>& row) { backward(row); }
void drop_f32(const float* x, const DropoutRow& dropout, int64_t n, float* factors, float* y) {
  drop(x, dropout, n, factors, y);
}
void drop_bf16(const bf16* x, const DropoutRow& dropout, int64_t n, float* factors, bf16* y) {
  drop(x, dropout, n, factors, y);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);
HWY_EXPORT(drop_f32);
HWY_EXPORT(drop_bf16);

void layer_norm_kernel(const LayerNormRow<float>& row) { HWY_DYNAMIC_DISPATCH(forward_f32)(row); }
void layer_norm_kernel(const LayerNormRow<bf16>& row) { HWY_DYNAMIC_DISPATCH(forward_bf16)(row); }
void layer_norm_backward_kernel(const LayerNormGradientRow<float>& row) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(row);
}
void layer_norm_backward_kernel(const LayerNormGradientRow<bf16>& row) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)(row);
}
void dropout_kernel(const float* x, const DropoutRow& dropout, int64_t n, float* factors,
                    float* y) {
  HWY_DYNAMIC_DISPATCH(drop_f32)(x, dropout, n, factors, y);
}
void dropout_kernel(const bf16* x, const DropoutRow& dropout, int64_t n, float* factors, bf16* y) {
  HWY_DYNAMIC_DISPATCH(drop_bf16)(x, dropout, n, factors, y);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
