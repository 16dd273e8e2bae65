#pragma once
// What: shape + dtype + pointer. Operations take views and never own memory; arenas own it
//   (arena.h). Row-major, contiguous in the last dimension. A matrix may have a row stride, so a
//   slice of columns (for example Q of a fused QKV) is a view.
// Letters: T packed tokens, W windows, H hidden, A heads, D head size, F inner, V vocabulary, L
// layers.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "spanforge/base/error.h"

namespace spanforge {

enum class DType : uint8_t { kF32, kBF16, kI32, kU8, kS8 };

constexpr size_t dtype_size(DType t) {
  return t == DType::kF32 || t == DType::kI32 ? 4 : t == DType::kBF16 ? 2 : 1;
}
const char* dtype_name(DType t);

// bfloat16 storage; arithmetic happens in float.
struct bf16 {
  uint16_t bits = 0;
};
float to_float(bf16 x);
bf16 to_bf16(float x);  // round to nearest, ties to even; NaN stays NaN

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kF32;
};
template <>
struct DTypeOf<bf16> {
  static constexpr DType value = DType::kBF16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::kI32;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::kU8;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::kS8;
};

// A matrix [rows, cols] (a vector is [1, n]) whose rows are `stride` elements apart. Constness is
// shallow, as in std::span: the elements of a const Tensor& may be written.
struct Tensor {
  void* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;  // elements between rows, >= cols
  DType dtype = DType::kF32;

  int64_t size() const { return rows * cols; }
  bool empty() const { return data == nullptr || size() == 0; }
  bool contiguous() const { return stride == cols; }
  template <class T>
  T* as() const {
    if (DTypeOf<T>::value != dtype) dtype_mismatch(DTypeOf<T>::value);
    return static_cast<T*>(data);
  }
  template <class T>
  T* row(int64_t r) const {
    return as<T>() + r * stride;
  }
  // Columns [first, first + count) of every row.
  Tensor columns(int64_t first, int64_t count) const;
  Tensor row_range(int64_t first, int64_t count) const;

 private:
  [[noreturn]] void dtype_mismatch(DType wanted) const;
};

Tensor make_tensor(void* data, DType dtype, int64_t rows, int64_t cols);
template <class T>
Tensor make_tensor(T* data, int64_t rows, int64_t cols) {
  return make_tensor(static_cast<void*>(data), DTypeOf<T>::value, rows, cols);
}

}  // namespace spanforge
