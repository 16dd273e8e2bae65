#pragma once
// u8 x s8 products with exact sums, for CPUs without tiles.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

// True where the CPU adds up such products in 32 bits (VNNI). The older instructions add two of
// them in 16 bits and saturate, so they are not used.
bool integer_gemm_is_fast();

// c[M,N] = a[M,K] b[N,K]^T; a u8, b s8, c i32, all contiguous. Needs integer_gemm_is_fast().
void integer_gemm(const Tensor& a, const Tensor& b, const Tensor& c);

}  // namespace spanforge::ops
