#include "spanforge/ops/check.h"

namespace spanforge::ops {

std::string describe(const Tensor& t) {
  std::string text = "[";
  text += std::to_string(t.rows) + "," + std::to_string(t.cols) + "] ";
  text += dtype_name(t.dtype);
  if (!t.contiguous()) text += ", stride " + std::to_string(t.stride);
  return text;
}

void fail(const char* op, const std::string& reason) {
  throw Error(ErrorCode::kInternal, {.where = std::string("ops::") + op}, reason);
}

void require(const char* op, bool holds, const char* reason) {
  if (!holds) fail(op, reason);
}

void require_matrix(const char* op, const char* name, const Tensor& t, int64_t rows, int64_t cols,
                    DType dtype) {
  if (t.rows == rows && t.cols == cols && t.dtype == dtype && (t.rows <= 1 || t.stride >= t.cols) &&
      (t.data != nullptr || t.size() == 0)) {
    return;
  }
  fail(op, std::string(name) + " is " + describe(t) + ", wanted [" + std::to_string(rows) + "," +
               std::to_string(cols) + "] " + dtype_name(dtype));
}

void require_vector(const char* op, const char* name, const Tensor& t, int64_t n) {
  require_matrix(op, name, t, 1, n, DType::kF32);
}

void require_float(const char* op, const char* name, const Tensor& t) {
  if (t.dtype == DType::kF32 || t.dtype == DType::kBF16) return;
  fail(op, std::string(name) + " is " + describe(t) + ", wanted f32 or bf16");
}

}  // namespace spanforge::ops
