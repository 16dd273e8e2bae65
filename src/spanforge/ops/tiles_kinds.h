#pragma once
// The kinds of tile products tiles.cpp chooses from. Each pair of functions may only be called
// where the CPU has the instructions.

#include "spanforge/ops/tiles.h"

namespace spanforge::ops {

// True where the CPU has AMX, SPANFORGE_MAX_ISA allows it and the system lets this process use its
// registers, which this asks for.
bool amx_is_usable();
void begin_amx();
void end_amx();
void multiply_bf16_amx(const TileProduct& product);
void multiply_u8s8_amx(const TileProduct& product);

void multiply_bf16_avx512(const TileProduct& product);
void multiply_u8s8_avx512(const TileProduct& product);
void multiply_f32_avx512(const TileProduct& product);

}  // namespace spanforge::ops
