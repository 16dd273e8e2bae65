#include "spanforge/tensor/tensor.h"

#include <bit>
#include <string>

namespace spanforge {

const char* dtype_name(DType t) {
  switch (t) {
    case DType::kF32: return "f32";
    case DType::kBF16: return "bf16";
    case DType::kI32: return "i32";
    case DType::kU8: return "u8";
    case DType::kS8: return "s8";
  }
  return "unknown";
}

float to_float(bf16 x) { return std::bit_cast<float>(uint32_t{x.bits} << 16); }

bf16 to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  // Without this, a NaN with its payload only in the low half would round to infinity.
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return {static_cast<uint16_t>((bits >> 16) | 0x0040u)};
  return {static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16)};
}

namespace {
void check_range(const char* what, int64_t first, int64_t count, int64_t size) {
  if (first >= 0 && count >= 0 && first <= size && count <= size - first) return;
  throw Error(ErrorCode::kInternal, {.where = "tensor"},
              std::string(what) + " [" + std::to_string(first) + ", +" + std::to_string(count) +
                  ") do not lie within " + std::to_string(size));
}
}  // namespace

Tensor Tensor::columns(int64_t first, int64_t count) const {
  check_range("columns", first, count, cols);
  Tensor view = *this;
  view.data = static_cast<std::byte*>(data) + static_cast<size_t>(first) * dtype_size(dtype);
  view.cols = count;
  return view;
}

Tensor Tensor::row_range(int64_t first, int64_t count) const {
  check_range("rows", first, count, rows);
  Tensor view = *this;
  view.data =
      static_cast<std::byte*>(data) + static_cast<size_t>(first * stride) * dtype_size(dtype);
  view.rows = count;
  return view;
}

void Tensor::dtype_mismatch(DType wanted) const {
  throw Error(
      ErrorCode::kInternal, {.where = "tensor"},
      std::string("holds ") + dtype_name(dtype) + ", but " + dtype_name(wanted) + " was asked for");
}

Tensor make_tensor(void* data, DType dtype, int64_t rows, int64_t cols) {
  Tensor t;
  t.data = data;
  t.rows = rows;
  t.cols = cols;
  t.stride = cols;
  t.dtype = dtype;
  return t;
}

}  // namespace spanforge
