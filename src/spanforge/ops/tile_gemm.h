#pragma once
// bf16 products in tiles (tiles.h), for the products of an encoder on a CPU with AMX (Intel,
// Architecture Instruction Set Extensions Reference, chapter 3). There, oneDNN spends half of its
// time on bringing plain matrices into tiles at every call. With AVX-512 the two are equally fast.
//
// Both factors are packed into tiles. The smaller one is packed whole, one block of K at a time,
// and shared by the threads. The larger one is streamed: each thread packs panels of 32 of its rows
// or columns and multiplies them with all of the smaller one. Sums run over K in order, so results
// do not depend on the thread count or on which factor is streamed.

#include <cstdint>

#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

struct GemmProduct {
  struct Factor {
    const bf16* data;
    int64_t stride;     // elements between rows as stored
    bool k_contiguous;  // stored as [M,K] or [N,K]; otherwise as [K,M] or [K,N]
  };
  Factor a, b;
  int64_t m, n, k;
  void* c;  // [M,N] f32 or bf16
  int64_t c_stride;
  bool c_is_bf16;
  const float* bias;  // [N], or null
  bool accumulate;    // c += instead of c =
};

// REQUIRES has_bf16_tiles() (tiles.h), m, n, k >= 1.
void tile_multiply(const GemmProduct& product);

}  // namespace spanforge::ops
