#include "spanforge/ops/attention_kernel.h"

#include <algorithm>
#include <cmath>

namespace spanforge::ops {
namespace {
float load(const float* p) { return *p; }
float load(const bf16* p) { return to_float(*p); }
void store(float x, float* p) { *p = x; }
void store(float x, bf16* p) { *p = to_bf16(x); }

template <class T>
float factor(const AttentionHead<T>& h, int64_t i, int64_t j) {
  if (h.row_keys == nullptr) return 1;
  return dropout_word(h.dropout_key, h.row_keys[i], h.first_column + static_cast<uint32_t>(j)) >=
                 h.dropout_threshold
             ? h.dropout_scale
             : 0;
}
template <class T>
void widen(const T* from, int64_t stride, int64_t rows, int64_t n, float* to) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) to[r * n + j] = load(from + r * stride + j);
  }
}
float dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}
void add_scaled(float f, const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; ++i) y[i] += f * x[i];
}

template <class T>
void forward(const AttentionHead<T>& h, float* memory) {
  const int64_t s = h.length, d = h.size;
  float* q = memory;
  float* k = q + s * d;
  float* v = k + s * d;
  float* p = v + s * d;
  float* o = p + s;
  widen(h.q, h.qkv_stride, s, d, q);
  widen(h.k, h.qkv_stride, s, d, k);
  widen(h.v, h.qkv_stride, s, d, v);
  for (int64_t i = 0; i < s; ++i) {
    for (int64_t j = 0; j < s; ++j) p[j] = h.scale * dot(q + i * d, k + j * d, d);
    const float largest = *std::max_element(p, p + s);
    float sum = 0;
    for (int64_t j = 0; j < s; ++j) sum += p[j] = std::exp(p[j] - largest);
    h.lse[i] = largest + std::log(sum);
    std::fill_n(o, d, 0.0f);
    for (int64_t j = 0; j < s; ++j) add_scaled(p[j] / sum * factor(h, i, j), v + j * d, d, o);
    for (int64_t j = 0; j < d; ++j) store(o[j], h.out + i * h.out_stride + j);
  }
}

template <class T>
void backward(const AttentionHead<T>& h, const AttentionHeadGradients<T>& g, float* memory) {
  const int64_t s = h.length, d = h.size;
  float* q = memory;
  float* k = q + s * d;
  float* v = k + s * d;
  float* dout = v + s * d;
  float* o = dout + s * d;
  float* dq = o + s * d;
  float* dk = dq + s * d;
  float* dv = dk + s * d;
  widen(h.q, h.qkv_stride, s, d, q);
  widen(h.k, h.qkv_stride, s, d, k);
  widen(h.v, h.qkv_stride, s, d, v);
  widen(g.dout, g.dout_stride, s, d, dout);
  widen(static_cast<const T*>(h.out), h.out_stride, s, d, o);
  std::fill_n(dq, 3 * s * d, 0.0f);
  for (int64_t i = 0; i < s; ++i) {
    const float delta = dot(dout + i * d, o + i * d, d);
    for (int64_t j = 0; j < s; ++j) {
      const float p = std::exp(h.scale * dot(q + i * d, k + j * d, d) - h.lse[i]);
      const float f = factor(h, i, j);
      add_scaled(p * f, dout + i * d, d, dv + j * d);
      const float ds = p * (f * dot(dout + i * d, v + j * d, d) - delta) * h.scale;
      add_scaled(ds, k + j * d, d, dq + i * d);
      add_scaled(ds, q + i * d, d, dk + j * d);
    }
  }
  for (int64_t i = 0; i < s; ++i) {
    for (int64_t j = 0; j < d; ++j) {
      store(dq[i * d + j], g.dq + i * g.dqkv_stride + j);
      store(dk[i * d + j], g.dk + i * g.dqkv_stride + j);
      store(dv[i * d + j], g.dv + i * g.dqkv_stride + j);
    }
  }
}
}  // namespace

int64_t attention_scratch(int64_t length, int64_t size) {
  return 3 * length * size + length + size;
}
int64_t attention_backward_scratch(int64_t length, int64_t size) { return 8 * length * size; }

void attention_kernel(const AttentionHead<float>& head, float* memory) { forward(head, memory); }
void attention_kernel(const AttentionHead<bf16>& head, float* memory) { forward(head, memory); }
void attention_backward_kernel(const AttentionHead<float>& head,
                               const AttentionHeadGradients<float>& gradients, float* memory) {
  backward(head, gradients, memory);
}
void attention_backward_kernel(const AttentionHead<bf16>& head,
                               const AttentionHeadGradients<bf16>& gradients, float* memory) {
  backward(head, gradients, memory);
}

}  // namespace spanforge::ops
