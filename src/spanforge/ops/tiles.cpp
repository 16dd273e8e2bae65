#include "spanforge/ops/tiles.h"

#include "spanforge/ops/check.h"
#include "spanforge/ops/instruction_sets.h"
#include "spanforge/ops/tiles_kinds.h"

namespace spanforge::ops {

#if defined(__x86_64__) && defined(__linux__)

bool has_amx() {
  static const bool has = amx_is_usable();
  return has;
}
bool has_bf16_tiles() {
  static const bool has = has_amx() || may_use(Instructions::kAvx512Bf16);
  return has;
}
bool has_int8_tiles() {
  static const bool has = has_amx() || may_use(Instructions::kAvx512Vnni);
  return has;
}

bool has_f32_tiles() {
  static const bool has = may_use(Instructions::kAvx512Vnni);
  return has;
}

TileSession::TileSession() {
  if (has_amx()) begin_amx();
}
TileSession::~TileSession() {
  if (has_amx()) end_amx();
}

void multiply_tiles_bf16(const TileProduct& p) {
  has_amx() ? multiply_bf16_amx(p) : multiply_bf16_avx512(p);
}
void multiply_tiles_u8s8(const TileProduct& p) {
  has_amx() ? multiply_u8s8_amx(p) : multiply_u8s8_avx512(p);
}
void multiply_tiles_f32(const TileProduct& p) { multiply_f32_avx512(p); }

#else

bool has_amx() { return false; }
bool has_bf16_tiles() { return false; }
bool has_int8_tiles() { return false; }
bool has_f32_tiles() { return false; }
TileSession::TileSession() { fail("tiles", "this CPU has none"); }
TileSession::~TileSession() = default;
void multiply_tiles_bf16(const TileProduct&) { fail("tiles", "this CPU has none"); }
void multiply_tiles_u8s8(const TileProduct&) { fail("tiles", "this CPU has none"); }
void multiply_tiles_f32(const TileProduct&) { fail("tiles", "this CPU has none"); }
void pack_right_f32(const float* const*, int64_t, int64_t, int64_t, float*) {
  fail("tiles", "this CPU has none");
}

#endif

}  // namespace spanforge::ops
