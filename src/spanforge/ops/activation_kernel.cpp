#include "spanforge/ops/activation_kernel.h"

#include "spanforge/ops/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spanforge/ops/activation_kernel.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "spanforge/ops/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spanforge::ops::HWY_NAMESPACE {
namespace {

// The normal distribution's cumulative function Phi, without cancellation in either tail.
// With t = |x|: Phi(-t) = exp(-t^2 / 2) R(t). R falls like 1 / t, so with w = 1 / (t + 4) it is w
// times a polynomial in q = 8 w - 1, which runs over [-0.57, 1] for t up to 14.5. The polynomial is
// fitted for least relative error (1e-8). The exponential corrects the square's rounding error.
struct Normal {
  V cumulative, density;  // density times sqrt(2 pi)
};
HWY_INLINE Normal normal(V x) {
  const V t = hn::Min(hn::Abs(x), broadcast(14.5f));
  const V square = hn::Mul(t, t);
  const V error = hn::MulSub(t, t, square);
  const V half = broadcast(-0.5f);
  const V power = exp_nonpositive(hn::Mul(square, half));
  const V density = hn::MulAdd(hn::Mul(power, error), half, power);
  const V w = hn::Div(broadcast(1.0f), hn::Add(t, broadcast(4.0f)));
  const V q = hn::MulSub(w, broadcast(8.0f), broadcast(1.0f));
  V p = broadcast(0.0001319718430750072f);
  p = hn::MulAdd(p, q, broadcast(0.0001793541305232793f));
  p = hn::MulAdd(p, q, broadcast(-0.0015699234791100025f));
  p = hn::MulAdd(p, q, broadcast(-0.003512553870677948f));
  p = hn::MulAdd(p, q, broadcast(0.007525271270424128f));
  p = hn::MulAdd(p, q, broadcast(0.06040383130311966f));
  p = hn::MulAdd(p, q, broadcast(0.1865234375f));
  p = hn::MulAdd(p, q, broadcast(0.38713690638542175f));
  p = hn::MulAdd(p, q, broadcast(0.6078965663909912f));
  p = hn::MulAdd(p, q, broadcast(0.7552851438522339f));
  const V tail = hn::Mul(hn::Mul(p, w), density);
  const auto negative = hn::Lt(x, hn::Zero(F()));
  return {hn::IfThenElse(negative, tail, hn::Sub(broadcast(1.0f), tail)), density};
}

struct Gelu {
  static HWY_INLINE V value(V x) { return hn::Mul(x, normal(x).cumulative); }
  static HWY_INLINE V slope(V x) {
    const Normal n = normal(x);
    return hn::MulAdd(hn::Mul(x, n.density), broadcast(0.3989422804f), n.cumulative);
  }
};

// (1 + tanh(u)) / 2 = 1 / (1 + e), e = exp(-2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static HWY_INLINE V exponential(V x) {
    const V cubic = hn::MulAdd(hn::Mul(x, x), broadcast(0.044715f), broadcast(1.0f));
    return exp_any(hn::Mul(hn::Mul(x, broadcast(-1.5957691216f)), cubic));
  }
  static HWY_INLINE V value(V x) { return hn::Div(x, hn::Add(broadcast(1.0f), exponential(x))); }
  static HWY_INLINE V slope(V x) {
    const V t =
        hn::Min(hn::Max(x, broadcast(-9.0f)), broadcast(9.0f));  // beyond, the result is 0 or 1
    const V e = exponential(t);
    const V s = hn::Div(broadcast(1.0f), hn::Add(broadcast(1.0f), e));
    const V du = hn::Mul(hn::MulAdd(hn::Mul(t, t), broadcast(3 * 0.044715f), broadcast(1.0f)),
                         broadcast(1.5957691216f));
    return hn::MulAdd(hn::Mul(hn::Mul(t, s), hn::Mul(e, s)), du, s);  // 1 - s = e s
  }
};

struct Relu {
  static HWY_INLINE V value(V x) { return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(F())), x); }
  static HWY_INLINE V slope(V x) {
    return hn::IfThenElseZero(hn::Gt(x, hn::Zero(F())), broadcast(1.0f));
  }
};

template <class A, class T>
void forward(const float* HWY_RESTRICT bias, int64_t n, T* HWY_RESTRICT x, T* HWY_RESTRICT y) {
  if (bias == nullptr) {
    return for_vectors(
        n, [&](int64_t j, auto part) HWY_ATTR { store(A::value(load(x + j, part)), y + j, part); });
  }
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V z = hn::Add(load(x + j, part), load(bias + j, part));
    store(z, x + j, part);
    store(A::value(as_stored<T>(z)), y + j, part);
  });
}

template <class A, class T>
void backward(const T* dy, const T* z, int64_t n, T* dx, float* HWY_RESTRICT dbias) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V d = hn::Mul(load(dy + j, part), A::slope(load(z + j, part)));
    store(d, dx + j, part);
    store(hn::Add(load(dbias + j, part), d), dbias + j, part);
  });
}

template <class A, class T>
void gated_forward(const T* u, const T* g, int64_t n, T* HWY_RESTRICT y) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    store(hn::Mul(A::value(load(u + j, part)), load(g + j, part)), y + j, part);
  });
}

template <class A, class T>
void gated_backward(const T* dy, const T* u, const T* g, int64_t n, T* HWY_RESTRICT du,
                    T* HWY_RESTRICT dg) {
  for_vectors(n, [&](int64_t j, auto part) HWY_ATTR {
    const V d = load(dy + j, part);
    const V x = load(u + j, part);
    store(hn::Mul(hn::Mul(d, load(g + j, part)), A::slope(x)), du + j, part);
    store(hn::Mul(d, A::value(x)), dg + j, part);
  });
}

// Calls body with the activation's type, for example body(Gelu{}).
template <class Body>
HWY_INLINE void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::kGelu: return body(Gelu{});
    case Activation::kGeluTanh: return body(GeluTanh{});
    case Activation::kRelu: return body(Relu{});
  }
}

template <class T>
void forward_any(Activation activation, const float* bias, int64_t n, T* x, T* y) {
  with_activation(activation, [&](auto a) { forward<decltype(a)>(bias, n, x, y); });
}
template <class T>
void backward_any(Activation activation, const T* dy, const T* z, int64_t n, T* dx, float* dbias) {
  with_activation(activation, [&](auto a) { backward<decltype(a)>(dy, z, n, dx, dbias); });
}
template <class T>
void gated_forward_any(Activation activation, const T* u, const T* g, int64_t n, T* y) {
  with_activation(activation, [&](auto a) { gated_forward<decltype(a)>(u, g, n, y); });
}
template <class T>
void gated_backward_any(Activation activation, const T* dy, const T* u, const T* g, int64_t n,
                        T* du, T* dg) {
  with_activation(activation, [&](auto a) { gated_backward<decltype(a)>(dy, u, g, n, du, dg); });
}

}  // namespace

void forward_f32(Activation activation, const float* bias, int64_t n, float* x, float* y) {
  forward_any(activation, bias, n, x, y);
}
void forward_bf16(Activation activation, const float* bias, int64_t n, bf16* x, bf16* y) {
  forward_any(activation, bias, n, x, y);
}
void backward_f32(Activation activation, const float* dy, const float* z, int64_t n, float* dx,
                  float* dbias) {
  backward_any(activation, dy, z, n, dx, dbias);
}
void backward_bf16(Activation activation, const bf16* dy, const bf16* z, int64_t n, bf16* dx,
                   float* dbias) {
  backward_any(activation, dy, z, n, dx, dbias);
}
void gated_forward_f32(Activation activation, const float* u, const float* g, int64_t n, float* y) {
  gated_forward_any(activation, u, g, n, y);
}
void gated_forward_bf16(Activation activation, const bf16* u, const bf16* g, int64_t n, bf16* y) {
  gated_forward_any(activation, u, g, n, y);
}
void gated_backward_f32(Activation activation, const float* dy, const float* u, const float* g,
                        int64_t n, float* du, float* dg) {
  gated_backward_any(activation, dy, u, g, n, du, dg);
}
void gated_backward_bf16(Activation activation, const bf16* dy, const bf16* u, const bf16* g,
                         int64_t n, bf16* du, bf16* dg) {
  gated_backward_any(activation, dy, u, g, n, du, dg);
}

}  // namespace spanforge::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace spanforge::ops {

HWY_EXPORT(forward_f32);
HWY_EXPORT(forward_bf16);
HWY_EXPORT(backward_f32);
HWY_EXPORT(backward_bf16);
HWY_EXPORT(gated_forward_f32);
HWY_EXPORT(gated_forward_bf16);
HWY_EXPORT(gated_backward_f32);
HWY_EXPORT(gated_backward_bf16);

void activation_kernel(Activation activation, const float* bias, int64_t n, float* x, float* y) {
  HWY_DYNAMIC_DISPATCH(forward_f32)(activation, bias, n, x, y);
}
void activation_kernel(Activation activation, const float* bias, int64_t n, bf16* x, bf16* y) {
  HWY_DYNAMIC_DISPATCH(forward_bf16)(activation, bias, n, x, y);
}
void activation_backward_kernel(Activation activation, const float* dy, const float* z, int64_t n,
                                float* dx, float* dbias) {
  HWY_DYNAMIC_DISPATCH(backward_f32)(activation, dy, z, n, dx, dbias);
}
void activation_backward_kernel(Activation activation, const bf16* dy, const bf16* z, int64_t n,
                                bf16* dx, float* dbias) {
  HWY_DYNAMIC_DISPATCH(backward_bf16)(activation, dy, z, n, dx, dbias);
}
void gated_activation_kernel(Activation activation, const float* u, const float* g, int64_t n,
                             float* y) {
  HWY_DYNAMIC_DISPATCH(gated_forward_f32)(activation, u, g, n, y);
}
void gated_activation_kernel(Activation activation, const bf16* u, const bf16* g, int64_t n,
                             bf16* y) {
  HWY_DYNAMIC_DISPATCH(gated_forward_bf16)(activation, u, g, n, y);
}
void gated_activation_backward_kernel(Activation activation, const float* dy, const float* u,
                                      const float* g, int64_t n, float* du, float* dg) {
  HWY_DYNAMIC_DISPATCH(gated_backward_f32)(activation, dy, u, g, n, du, dg);
}
void gated_activation_backward_kernel(Activation activation, const bf16* dy, const bf16* u,
                                      const bf16* g, int64_t n, bf16* du, bf16* dg) {
  HWY_DYNAMIC_DISPATCH(gated_backward_bf16)(activation, dy, u, g, n, du, dg);
}

}  // namespace spanforge::ops
#endif  // HWY_ONCE
