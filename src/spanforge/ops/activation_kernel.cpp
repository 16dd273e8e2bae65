#include "spanforge/ops/activation_kernel.h"

#include <cmath>

namespace spanforge::ops {
namespace {
float load(const float* p) { return *p; }
float load(const bf16* p) { return to_float(*p); }
void store(float x, float* p) { *p = x; }
void store(float x, bf16* p) { *p = to_bf16(x); }

float value(Activation a, float x) {
  switch (a) {
    case Activation::kGelu:
      return 0.5f * x * std::erfc(-x * 0.70710678f);
    case Activation::kGeluTanh:
      return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
    case Activation::kRelu:
      return x > 0 ? x : 0;
  }
  return 0;
}
float slope(Activation a, float x) {
  switch (a) {
    case Activation::kGelu:
      return 0.5f * std::erfc(-x * 0.70710678f) + x * 0.3989422804f * std::exp(-0.5f * x * x);
    case Activation::kGeluTanh: {
      const float t = std::tanh(0.7978845608f * (x + 0.044715f * x * x * x));
      return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.7978845608f * (1 + 3 * 0.044715f * x * x);
    }
    case Activation::kRelu:
      return x > 0 ? 1 : 0;
  }
  return 0;
}
template <class T>
void forward(Activation a, const float* bias, int64_t n, T* x, T* y) {
  for (int64_t j = 0; j < n; ++j) {
    store(load(x + j) + bias[j], x + j);
    store(value(a, load(x + j)), y + j);
  }
}
template <class T>
void backward(Activation a, const T* dy, const T* z, int64_t n, T* dx, float* dbias) {
  for (int64_t j = 0; j < n; ++j) {
    const float d = load(dy + j) * slope(a, load(z + j));
    store(d, dx + j);
    dbias[j] += d;
  }
}
}  // namespace

void activation_kernel(Activation activation, const float* bias, int64_t n, float* x, float* y) {
  forward(activation, bias, n, x, y);
}
void activation_kernel(Activation activation, const float* bias, int64_t n, bf16* x, bf16* y) {
  forward(activation, bias, n, x, y);
}
void activation_backward_kernel(Activation activation, const float* dy, const float* z, int64_t n,
                                float* dx, float* dbias) {
  backward(activation, dy, z, n, dx, dbias);
}
void activation_backward_kernel(Activation activation, const bf16* dy, const bf16* z, int64_t n,
                                bf16* dx, float* dbias) {
  backward(activation, dy, z, n, dx, dbias);
}

}  // namespace spanforge::ops
