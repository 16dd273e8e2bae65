#pragma once
// Products of small blocks of matrices in tiles of 16 rows by 64 bytes: in the tile registers of
// Intel's AMX, or, in the same order of sums, by AVX-512's dot products of pairs of bf16
// (AVX512-BF16) and of four bytes (VNNI). x86-64 only.

#include <cstddef>
#include <cstdint>

namespace spanforge::ops {

// What this CPU can multiply as tiles within SPANFORGE_MAX_ISA. has_amx(): in tile registers.
bool has_amx();
bool has_bf16_tiles();
bool has_int8_tiles();
bool has_f32_tiles();

inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kTileBytes = 1024;  // 16 rows of 64 bytes
inline constexpr int64_t kStripe = 32;       // outputs of two adjacent tiles

// Prefetches memory during products of other memory: rows of `row_bytes` that begin `stride` bytes
// apart. It takes a few lines at a time, because a burst would fill the buffers that the tiles'
// loads need, too.
class Fetch {
 public:
  Fetch(const void* begin, int64_t rows, int64_t row_bytes, int64_t stride)
      : at_(static_cast<const char*>(begin)),
        rows_(rows),
        row_bytes_(row_bytes),
        gap_(stride - row_bytes),
        left_(row_bytes) {}
  int64_t lines() const { return rows_ * ((row_bytes_ + kLine - 1) / kLine); }
  // Sets the lines of each next(), so that `steps` calls fetch everything.
  void spread_over(int64_t steps) { lines_a_step_ = (lines() + steps - 1) / steps; }
  void next() {
    for (int64_t i = 0; i < lines_a_step_ && rows_ > 0; ++i) {
      __builtin_prefetch(at_, 0, 2);  // into the second-level cache, because the first is in use
      const int64_t bytes = left_ < kLine ? left_ : kLine;
      at_ += bytes;
      left_ -= bytes;
      if (left_ > 0) continue;
      at_ += gap_;
      left_ = row_bytes_;
      --rows_;
    }
  }

 private:
  static constexpr int64_t kLine = 64;
  const char* at_;
  int64_t rows_, row_bytes_, gap_, left_, lines_a_step_ = 0;
};

// One block of products, up to 32 x 32. left: one or two row tiles, each `depth` tiles long and
// `left_stride` bytes apart. right: `depth` pairs of tiles. result: rows of 32, 16 for each row
// tile; rows from `rows` on are undefined.
struct TileProduct {
  const std::byte* left;
  int64_t left_stride;
  const std::byte* right;
  int64_t depth;
  int64_t rows;     // rows of the result that are wanted, 1 to 32; above 16, left has two tiles
  bool accumulate;  // result += instead of result =
  void* result;     // 16 or 32 rows of kStripe f32 or i32
  Fetch* fetch = nullptr;  // next() is called at each step of depth
};

// Configures this thread for products; must exist around its calls.
class TileSession {
 public:
  TileSession();
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
  ~TileSession();
};

void multiply_tiles_bf16(const TileProduct& product);  // bf16 x bf16 -> f32
void multiply_tiles_u8s8(const TileProduct& product);  // u8 x s8 -> i32
void multiply_tiles_f32(const TileProduct& product);   // f32 x f32 -> f32

// Packs `depth` pairs of right-hand f32 tiles: row k of a pair holds value k of each row in turn.
// rows: kStripe of them, null if there is none, with `count` values each; the rest is zero.
void pack_right_f32(const float* const* rows, int64_t first, int64_t count, int64_t depth,
                    float* tiles);

}  // namespace spanforge::ops
