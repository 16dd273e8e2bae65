// tests/emulated_amx compiles this file a second time, with its own functions instead of the
// intrinsics.
#include "spanforge/ops/tiles_kinds.h"

#if defined(__x86_64__) && defined(__linux__)

#include <immintrin.h>

#define SPANFORGE_AMX __attribute__((target("amx-tile,amx-bf16,amx-int8")))

namespace spanforge::ops {
namespace {

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);
const TileConfig kConfig;

constexpr int64_t kRow = kStripe * 4;  // bytes of a row of the result

SPANFORGE_AMX void load_config() { _tile_loadconfig(&kConfig); }
SPANFORGE_AMX void release_tiles() { _tile_release(); }

// The compiler must not move writes to the tiles' inputs past this point.
inline void settle_memory() { asm volatile("" ::: "memory"); }

// The intrinsics accept register numbers only as literals.
#define SPANFORGE_PRODUCT(sums, left, right) \
  do {                                       \
    if constexpr (kBytes) {                  \
      _tile_dpbusd(sums, left, right);       \
    } else {                                 \
      _tile_dpbf16ps(sums, left, right);     \
    }                                        \
  } while (false)

// Registers 0-3: the sums; 4, 5: left; 6, 7: right.
template <bool kBytes>
SPANFORGE_AMX void multiply_one_row(const TileProduct& p) {
  const std::byte* a = p.left;
  const std::byte* b = p.right;
  auto* const c = static_cast<std::byte*>(p.result);
  settle_memory();
  if (p.accumulate) {
    _tile_loadd(0, c, kRow);
    _tile_loadd(1, c + 64, kRow);
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  for (int64_t k = 0; k < p.depth; ++k) {
    if (p.fetch != nullptr) p.fetch->next();
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_loadd(7, b + kTileBytes, 64);
    SPANFORGE_PRODUCT(0, 4, 6);
    SPANFORGE_PRODUCT(1, 4, 7);
    a += kTileBytes;
    b += 2 * kTileBytes;
  }
  _tile_stored(0, c, kRow);
  _tile_stored(1, c + 64, kRow);
}

template <bool kBytes>
SPANFORGE_AMX void multiply_two_rows(const TileProduct& p) {
  const std::byte* a = p.left;
  const std::byte* b = p.right;
  auto* const c = static_cast<std::byte*>(p.result);
  settle_memory();
  if (p.accumulate) {
    _tile_loadd(0, c, kRow);
    _tile_loadd(1, c + 64, kRow);
    _tile_loadd(2, c + kTileRows * kRow, kRow);
    _tile_loadd(3, c + kTileRows * kRow + 64, kRow);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < p.depth; ++k) {
    if (p.fetch != nullptr) p.fetch->next();
    _tile_loadd(6, b, 64);
    _tile_loadd(4, a, 64);
    _tile_loadd(7, b + kTileBytes, 64);
    SPANFORGE_PRODUCT(0, 4, 6);
    _tile_loadd(5, a + p.left_stride, 64);
    SPANFORGE_PRODUCT(1, 4, 7);
    SPANFORGE_PRODUCT(2, 5, 6);
    SPANFORGE_PRODUCT(3, 5, 7);
    a += kTileBytes;
    b += 2 * kTileBytes;
  }
  _tile_stored(0, c, kRow);
  _tile_stored(1, c + 64, kRow);
  _tile_stored(2, c + kTileRows * kRow, kRow);
  _tile_stored(3, c + kTileRows * kRow + 64, kRow);
}

}  // namespace

void begin_amx() { load_config(); }
void end_amx() { release_tiles(); }

void multiply_bf16_amx(const TileProduct& p) {
  p.rows > kTileRows ? multiply_two_rows<false>(p) : multiply_one_row<false>(p);
}
void multiply_u8s8_amx(const TileProduct& p) {
  p.rows > kTileRows ? multiply_two_rows<true>(p) : multiply_one_row<true>(p);
}

}  // namespace spanforge::ops

#endif
