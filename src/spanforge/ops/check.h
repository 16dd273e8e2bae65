#pragma once
// Checks of an operation's arguments. A failure is a bug of the caller, so it is Error{kInternal},
// whose place is the operation and whose reason shows the shapes.

#include <string>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

std::string describe(const Tensor& t);  // "[400,1024] bf16, stride 3072"

[[noreturn]] void fail(const char* op, const std::string& reason);

// t is [rows, cols] of dtype.
void require_matrix(const char* op, const char* name, const Tensor& t, int64_t rows, int64_t cols,
                    DType dtype);
// t is [1, n] f32 and contiguous.
void require_vector(const char* op, const char* name, const Tensor& t, int64_t n);
void require_float(const char* op, const char* name, const Tensor& t);  // f32 or bf16
void require(const char* op, bool holds, const char* reason);

}  // namespace spanforge::ops
