#pragma once
// Intel AMX: eight tile registers of 16 rows by 64 bytes and their products. x86-64 only.

#include <cstddef>
#include <cstdint>

namespace spanforge::ops {

// True where the CPU has the tiles, the system lets this process use them (asked for once), and
// SPANFORGE_MAX_ISA does not forbid it.
bool has_tiles();

inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kTileBytes = 1024;  // 16 rows of 64 bytes
inline constexpr int64_t kStripe = 32;       // outputs of two tiles side by side

// One 32 x 32 block of products: left is one or two row tiles, each `depth` tiles long and
// `left_stride` bytes apart; right is `depth` pairs of tiles. result has rows of 32.
struct TileProduct {
  const std::byte* left;
  int64_t left_stride;
  const std::byte* right;
  int64_t depth;
  bool two_rows;    // of tiles
  bool accumulate;  // result += instead of result =
  void* result;     // 16 or 32 rows of kStripe f32 or i32
  // Brought near meanwhile, so many bytes (a multiple of 64) a step of depth.
  const std::byte* fetch = nullptr;
  int64_t fetch_bytes = 0;
};

// Products of this thread's next calls; made before and unmade after them.
class TileSession {
 public:
  TileSession();
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
  ~TileSession();
};

void multiply_tiles_bf16(const TileProduct& product);  // bf16 x bf16 -> f32
void multiply_tiles_u8s8(const TileProduct& product);  // u8 x s8 -> i32

}  // namespace spanforge::ops
