#include "emulated_tiles.h"

#include <atomic>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace spanforge::emulated {
namespace {

constexpr int kTiles = 8;
constexpr int kMaxRows = 16, kMaxRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  alignas(64) uint8_t data[kMaxRows][kMaxRowBytes];
};

struct State {
  bool configured = false;
  Tile tiles[kTiles];
};

thread_local State state;
std::atomic<int64_t> product_count = 0;

[[noreturn]] void fault(const char* instruction, const char* why) {
  std::fprintf(stderr, "emulated AMX: %s: %s\n", instruction, why);
  std::abort();
}

void check(bool holds, const char* instruction, const char* why) {
  if (!holds) fault(instruction, why);
}

Tile& tile_of(int index, const char* instruction) {
  check(state.configured, instruction, "no configuration is loaded");
  check(index >= 0 && index < kTiles, instruction, "there is no such register");
  Tile& tile = state.tiles[index];
  check(tile.rows > 0 && tile.row_bytes > 0, instruction, "the register is not configured");
  return tile;
}

struct Factors {
  Tile& sums;
  const Tile& left;
  const Tile& right;
};

Factors factors_of(int sums, int left, int right, const char* instruction) {
  check(sums != left && sums != right && left != right, instruction, "a register is named twice");
  Factors f{tile_of(sums, instruction), tile_of(left, instruction), tile_of(right, instruction)};
  check(f.sums.row_bytes % 4 == 0 && f.left.row_bytes % 4 == 0 && f.right.row_bytes % 4 == 0,
        instruction, "rows are no whole numbers of values");
  check(f.sums.rows == f.left.rows && f.sums.row_bytes == f.right.row_bytes &&
            f.left.row_bytes == 4 * f.right.rows,
        instruction, "the shapes do not fit");
  ++product_count;
  return f;
}

// Denormals count as zero, both as operands and as results.
float flush(float x) { return std::fabs(x) < FLT_MIN ? std::copysign(0.0F, x) : x; }

float bf16_at(const uint8_t* row, int index) {
  uint16_t bits;
  std::memcpy(&bits, row + 2 * index, sizeof bits);
  return flush(std::bit_cast<float>(static_cast<uint32_t>(bits) << 16));
}

template <class T>
T value_at(const uint8_t* row, int index) {
  T value;
  std::memcpy(&value, row + sizeof(T) * index, sizeof value);
  return value;
}

template <class T>
void put(uint8_t* row, int index, T value) {
  std::memcpy(row + sizeof(T) * index, &value, sizeof value);
}

}  // namespace

void load_config(const void* config) {
  const char* const name = "LDTILECFG";
  const auto* bytes = static_cast<const uint8_t*>(config);
  check(bytes[0] == 1, name, "the palette is not 1");
  check(bytes[1] == 0, name, "a load was interrupted");
  for (int i = 2; i < 16; ++i) check(bytes[i] == 0, name, "a reserved byte is set");
  for (int i = 0; i < kMaxRows; ++i) {
    const int row_bytes = value_at<uint16_t>(bytes + 16, i), rows = bytes[48 + i];
    if (i >= kTiles) {
      check(row_bytes == 0 && rows == 0, name, "a register beyond the eighth is configured");
      continue;
    }
    check(row_bytes <= kMaxRowBytes && rows <= kMaxRows, name, "a register is too large");
    check((row_bytes == 0) == (rows == 0), name, "a register has rows without bytes");
    state.tiles[i].rows = rows;
    state.tiles[i].row_bytes = row_bytes;
    std::memset(state.tiles[i].data, 0, sizeof state.tiles[i].data);
  }
  state.configured = true;
}

void release() { state.configured = false; }

void zero(int tile) {
  Tile& t = tile_of(tile, "TILEZERO");
  std::memset(t.data, 0, sizeof t.data);
}

void load(int tile, const void* base, int64_t stride) {
  Tile& t = tile_of(tile, "TILELOADD");
  std::memset(t.data, 0, sizeof t.data);
  for (int row = 0; row < t.rows; ++row) {
    std::memcpy(t.data[row], static_cast<const uint8_t*>(base) + row * stride,
                static_cast<size_t>(t.row_bytes));
  }
}

void store(int tile, void* base, int64_t stride) {
  const Tile& t = tile_of(tile, "TILESTORED");
  for (int row = 0; row < t.rows; ++row) {
    std::memcpy(static_cast<uint8_t*>(base) + row * stride, t.data[row],
                static_cast<size_t>(t.row_bytes));
  }
}

// A product of two bf16 is exact in f32, so adding it equals the CPU's fused multiply-add. Even
// and odd values are summed separately, over the whole tile.
void multiply_bf16(int sums, int left, int right) {
  const Factors f = factors_of(sums, left, right, "TDPBF16PS");
  const int pairs = f.left.row_bytes / 4, columns = f.sums.row_bytes / 4;
  float even[kMaxRows][kMaxRows], odd[kMaxRows][kMaxRows];  // of the right-hand side
  for (int k = 0; k < pairs; ++k) {
    for (int n = 0; n < columns; ++n) {
      even[k][n] = bf16_at(f.right.data[k], 2 * n);
      odd[k][n] = bf16_at(f.right.data[k], 2 * n + 1);
    }
  }
  for (int m = 0; m < f.sums.rows; ++m) {
    float even_sums[kMaxRows] = {}, odd_sums[kMaxRows] = {};
    for (int k = 0; k < pairs; ++k) {
      const float a = bf16_at(f.left.data[m], 2 * k), b = bf16_at(f.left.data[m], 2 * k + 1);
      for (int n = 0; n < columns; ++n) {
        even_sums[n] = flush(even_sums[n] + a * even[k][n]);
        odd_sums[n] = flush(odd_sums[n] + b * odd[k][n]);
      }
    }
    for (int n = 0; n < columns; ++n) {
      const float sum = flush(even_sums[n] + odd_sums[n]);
      put(f.sums.data[m], n, flush(flush(value_at<float>(f.sums.data[m], n)) + sum));
    }
  }
}

void multiply_u8s8(int sums, int left, int right) {
  const Factors f = factors_of(sums, left, right, "TDPBUSD");
  const int fours = f.left.row_bytes / 4, columns = f.sums.row_bytes / 4;
  for (int m = 0; m < f.sums.rows; ++m) {
    for (int n = 0; n < columns; ++n) {
      auto sum = value_at<uint32_t>(f.sums.data[m], n);  // wraps, as the CPU's sum does
      for (int k = 0; k < fours; ++k) {
        for (int i = 0; i < 4; ++i) {
          const int a = f.left.data[m][4 * k + i];
          const int b = static_cast<int8_t>(f.right.data[k][4 * n + i]);
          sum += static_cast<uint32_t>(a * b);
        }
      }
      put(f.sums.data[m], n, sum);
    }
  }
}

int64_t products() { return product_count; }

}  // namespace spanforge::emulated
