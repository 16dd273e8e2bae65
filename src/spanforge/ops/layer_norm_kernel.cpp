#include "spanforge/ops/layer_norm_kernel.h"

#include <cmath>

namespace spanforge::ops {
namespace {
float load(const float* p) { return *p; }
float load(const bf16* p) { return to_float(*p); }
void store(float x, float* p) { *p = x; }
void store(float x, bf16* p) { *p = to_bf16(x); }

float factor(const DropoutRow& d, int64_t j) {
  if (!d.active()) return 1;
  return dropout_word(d.key, d.row_key, static_cast<uint32_t>(j)) >= d.threshold ? d.scale : 0;
}
template <class T>
void forward(const LayerNormRow<T>& r) {
  double sum = 0;
  for (int64_t j = 0; j < r.n; ++j) {
    float value = load(r.x + j);
    if (r.bias != nullptr) value += r.bias[j];
    value *= factor(r.dropout, j);
    if (r.residual != nullptr) value += load(r.residual + j);
    store(value, r.z + j);
    sum += load(r.z + j);
  }
  const double mean = sum / double(r.n);
  double squares = 0;
  for (int64_t j = 0; j < r.n; ++j) {
    const double d = load(r.z + j) - mean;
    squares += d * d;
  }
  const double rstd = 1 / std::sqrt(squares / double(r.n) + r.eps);
  *r.mean = float(mean);
  *r.rstd = float(rstd);
  for (int64_t j = 0; j < r.n; ++j) {
    store((load(r.z + j) - *r.mean) * *r.rstd * r.gamma[j] + r.beta[j], r.y + j);
  }
}
template <class T>
void backward(const LayerNormGradientRow<T>& r) {
  double a = 0, b = 0;
  for (int64_t j = 0; j < r.n; ++j) {
    const float xhat = (load(r.z + j) - r.mean) * r.rstd;
    const float d = load(r.dy + j) * r.gamma[j];
    a += d;
    b += double(d) * xhat;
  }
  a /= double(r.n);
  b /= double(r.n);
  for (int64_t j = 0; j < r.n; ++j) {
    const float xhat = (load(r.z + j) - r.mean) * r.rstd;
    const float dy = load(r.dy + j);
    r.dgamma[j] += dy * xhat;
    r.dbeta[j] += dy;
    const float dz = r.rstd * (dy * r.gamma[j] - float(a) - xhat * float(b));
    const float dx = dz * factor(r.dropout, j);
    store(dz, r.dz + j);
    if (r.dx != nullptr) store(dx, r.dx + j);
    if (r.dbias != nullptr) r.dbias[j] += dx;
  }
}
template <class T>
void drop(const T* x, const DropoutRow& d, int64_t n, T* y) {
  for (int64_t j = 0; j < n; ++j) store(load(x + j) * factor(d, j), y + j);
}
}  // namespace

void layer_norm_kernel(const LayerNormRow<float>& row) { forward(row); }
void layer_norm_kernel(const LayerNormRow<bf16>& row) { forward(row); }
void layer_norm_backward_kernel(const LayerNormGradientRow<float>& row) { backward(row); }
void layer_norm_backward_kernel(const LayerNormGradientRow<bf16>& row) { backward(row); }
void dropout_kernel(const float* x, const DropoutRow& dropout, int64_t n, float* y) {
  drop(x, dropout, n, y);
}
void dropout_kernel(const bf16* x, const DropoutRow& dropout, int64_t n, bf16* y) {
  drop(x, dropout, n, y);
}

}  // namespace spanforge::ops
