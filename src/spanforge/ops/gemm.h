#pragma once
// The only interface to matrix multiplication. Code above this header does not know what computes
// it: oneDNN 2.6+ or 3.x, or, for bf16 on a CPU with AMX, tile_gemm.h, which is faster there.
// Dtypes: a and b both f32 or both bf16; c f32 or bf16; accumulation is always f32.
// Errors: Error{kInternal} if shapes do not fit, before anything is computed.

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

enum class Transpose { kNo, kYes };

struct GemmOptions {
  Transpose a = Transpose::kNo;
  Transpose b = Transpose::kNo;
  bool accumulate = false;  // c += instead of c =
  Tensor bias{};            // [1, N] f32, added to every row; empty: none
};

// c[M,N] = op(a)[M,K] x op(b)[K,N] (+ bias) (+ c)
void gemm(const Tensor& a, const Tensor& b, const Tensor& c, const GemmOptions& options = {});

// True if this CPU multiplies bf16 faster than f32 (AMX or AVX512-BF16) and SPANFORGE_MAX_ISA
// allows it.
bool bf16_is_fast();
// "avx512_core_amx", "avx512_core_bf16", "avx2" ...: the most that GEMM and the kernels may use.
const char* instruction_set();

}  // namespace spanforge::ops
