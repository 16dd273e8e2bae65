#pragma once
// The one seam to matrix multiplication; nothing above this header knows who does it: oneDNN 2.6+
// or 3.x, or for bf16 on a CPU with AMX tile_gemm.h, which is faster there.
// Dtypes: a and b both f32 or both bf16; c f32 or bf16; accumulation is always f32.
// Errors: Error{kInternal} on shapes that do not fit, before anything is computed.

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

// True when this CPU multiplies bf16 faster than f32 (AMX or AVX512-BF16), SPANFORGE_MAX_ISA
// heeded.
bool bf16_is_fast();
// "avx512_core_amx", "avx512_core_bf16", "avx2" ...: what GEMM and the kernels may use here.
const char* instruction_set();

}  // namespace spanforge::ops
