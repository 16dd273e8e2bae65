#pragma once
// AMX's tile instructions in software, after the operation sections of Intel's Software Developer's
// Manual, volume 2, and as strict: if the CPU would raise #UD or #GP, this ends the process with a
// line that names the instruction. Each thread has its own state, as on the CPU.

#include <cstdint>

namespace spanforge::emulated {

void load_config(const void* config);                   // LDTILECFG: 64 bytes
void release();                                         // TILERELEASE
void zero(int tile);                                    // TILEZERO
void load(int tile, const void* base, int64_t stride);  // TILELOADD
void store(int tile, void* base, int64_t stride);       // TILESTORED
void multiply_bf16(int sums, int left, int right);      // TDPBF16PS
void multiply_u8s8(int sums, int left, int right);      // TDPBUSD

// Products that this process has made so far.
int64_t products();

}  // namespace spanforge::emulated
