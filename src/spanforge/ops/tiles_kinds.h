#pragma once
// The kinds of tile products that tiles.cpp chooses from. Call a function only if the CPU has its
// instructions.

#include "spanforge/ops/tiles.h"

namespace spanforge::ops {

// True if the CPU has AMX, SPANFORGE_MAX_ISA allows it and the system permits this process to use
// its registers; the call asks the system for that.
bool amx_is_usable();
void begin_amx();
void end_amx();
void multiply_bf16_amx(const TileProduct& product);
void multiply_u8s8_amx(const TileProduct& product);

void multiply_bf16_avx512(const TileProduct& product);
void multiply_u8s8_avx512(const TileProduct& product);
void multiply_f32_avx512(const TileProduct& product);

}  // namespace spanforge::ops
