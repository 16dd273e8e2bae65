// The AMX kernels with functions instead of the instructions, and the permission to use them.
// Linked before the library, they replace its own.
#include <immintrin.h>

#include "emulated_tiles.h"
#include "spanforge/ops/instruction_sets.h"

#undef _tile_loadconfig
#undef _tile_release
#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#undef _tile_dpbusd
#define _tile_loadconfig spanforge::emulated::load_config
#define _tile_release spanforge::emulated::release
#define _tile_zero spanforge::emulated::zero
#define _tile_loadd spanforge::emulated::load
#define _tile_stored spanforge::emulated::store
#define _tile_dpbf16ps spanforge::emulated::multiply_bf16
#define _tile_dpbusd spanforge::emulated::multiply_u8s8

#include "spanforge/ops/tiles_amx.cpp"

namespace spanforge::ops {

// Every CPU with AMX has AVX-512 with VNNI, which the code around the tiles needs.
bool amx_is_usable() { return may_use(Instructions::kAvx512Vnni); }

}  // namespace spanforge::ops
