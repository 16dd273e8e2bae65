#include "spanforge/ops/tile_gemm.h"

#include <algorithm>

#include <hwy/base.h>

#include "spanforge/ops/runtime.h"
#include "spanforge/ops/tiles.h"

#if HWY_ARCH_X86_64

#if defined(__GNUC__) && !defined(__clang__)
// GCC 12's intrinsics initialise undefined vectors with themselves.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>
#include <omp.h>

#include "spanforge/ops/transpose_avx512-inl.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq")
namespace spanforge::ops {
namespace {

// A panel is 32 rows of op(A) or 32 columns of op(B): two tiles for every 32 steps of K. In a tile
// of A, a row holds 32 steps of K of one row of A; the tiles of the first 16 rows come before those
// of the last 16. In a tile of B, row p holds the steps 2p and 2p + 1 of 16 columns, in pairs; the
// two tiles of a step are adjacent.
constexpr int64_t kPanel = kStripe;                   // rows or columns
constexpr int64_t kStep = 32;                         // of K in a tile
constexpr int64_t kTile = kTileBytes / sizeof(bf16);  // elements
constexpr int64_t kPiece = 256;  // of K: a panel of each factor fits the first-level cache
constexpr int64_t kSharedElements = 1 << 19;  // half of a second-level cache of 2 MiB
constexpr int64_t kSums = kPanel * kPanel;    // floats of a product of two panels

__mmask32 first_halves(int64_t n) {
  return n >= 32 ? ~__mmask32{0}
                 : static_cast<__mmask32>((uint64_t{1} << std::max<int64_t>(n, 0)) - 1);
}

// Rows 2p and 2p + 1 of a [K, columns] matrix, for 32 columns: pairs of the first 16 and of the
// last 16.
struct Pairs {
  __m512i low, high;
};
Pairs interleave(const bf16* row, int64_t stride, int64_t rows, __mmask32 columns) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i even = rows > 0 ? _mm512_maskz_loadu_epi16(columns, row) : zero;
  const __m512i odd = rows > 1 ? _mm512_maskz_loadu_epi16(columns, row + stride) : zero;
  // Within 128 bits, unpack pairs words 0-3 and 4-7; the permutations put them in order.
  const __m512i first = _mm512_unpacklo_epi16(even, odd);
  const __m512i second = _mm512_unpackhi_epi16(even, odd);
  const __m512i low_order = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const __m512i high_order = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  return {_mm512_permutex2var_epi64(first, low_order, second),
          _mm512_permutex2var_epi64(first, high_order, second)};
}

void store_tile(const Words& x, bf16* tile) {
  for (int i = 0; i < 16; ++i) _mm512_store_si512(tile + 32 * i, x[i]);
}

// One panel of steps [k0, k0 + depth) of K, with zeros after `count` rows or columns and after
// depth.
struct PanelSource {
  const bf16* data;  // of the panel's first row or column, at k0
  int64_t stride;
  int64_t count;  // existing rows or columns, up to 32
  int64_t depth;
};

int64_t steps_of(int64_t depth) { return (depth + kStep - 1) / kStep; }

// The place in a panel of the tile of step k and of the first or second 16 rows or columns.
template <bool kPairs>
bf16* tile_at(bf16* panel, const PanelSource& s, int64_t k, int64_t half) {
  const int64_t step = k / kStep;
  return panel + kTile * (kPairs ? 2 * step + half : half * steps_of(s.depth) + step);
}

// From [count, K].
template <bool kPairs>
void pack_contiguous(const PanelSource& s, bf16* panel) {
  for (int64_t k = 0; k < s.depth; k += kStep) {
    const __mmask32 mask = first_halves(s.depth - k);
    for (int64_t half = 0; half < 2; ++half) {
      Words x;
      for (int64_t i = 0; i < 16; ++i) {
        const int64_t row = 16 * half + i;
        x[i] = row < s.count ? _mm512_maskz_loadu_epi16(mask, s.data + row * s.stride + k)
                             : _mm512_setzero_si512();
      }
      if constexpr (kPairs) transpose(x);
      store_tile(x, tile_at<kPairs>(panel, s, k, half));
    }
  }
}

// From [K, count].
template <bool kPairs>
void pack_strided(const PanelSource& s, bf16* panel) {
  const __mmask32 mask = first_halves(s.count);
  for (int64_t k = 0; k < s.depth; k += kStep) {
    Words low, high;
    for (int64_t p = 0; p < 16; ++p) {
      const int64_t row = k + 2 * p;
      const Pairs pairs = interleave(s.data + row * s.stride, s.stride, s.depth - row, mask);
      low[p] = pairs.low;
      high[p] = pairs.high;
    }
    if constexpr (!kPairs) {
      transpose(low);
      transpose(high);
    }
    store_tile(low, tile_at<kPairs>(panel, s, k, 0));
    store_tile(high, tile_at<kPairs>(panel, s, k, 1));
  }
}

// A factor as panels. is_b: it is op(B), whose tiles hold pairs.
struct Panels {
  GemmProduct::Factor factor;
  int64_t size;  // rows of op(A) or columns of op(B)
  bool is_b;

  int64_t count() const { return (size + kPanel - 1) / kPanel; }
  PanelSource source(int64_t index, int64_t k0, int64_t depth) const {
    const int64_t first = index * kPanel;
    const int64_t offset =
        factor.k_contiguous ? first * factor.stride + k0 : k0 * factor.stride + first;
    return {factor.data + offset, factor.stride, std::min(kPanel, size - first), depth};
  }
  Fetch fetch(int64_t index, int64_t k0, int64_t depth) const {
    const PanelSource s = source(index, k0, depth);
    const int64_t rows = factor.k_contiguous ? s.count : s.depth;
    const int64_t columns = factor.k_contiguous ? s.depth : s.count;
    constexpr int64_t kSize = sizeof(bf16);
    return {s.data, rows, columns * kSize, s.stride * kSize};
  }
  void pack(int64_t index, int64_t k0, int64_t depth, bf16* panel) const {
    const PanelSource source = this->source(index, k0, depth);
    if (factor.k_contiguous) {
      is_b ? pack_contiguous<true>(source, panel) : pack_contiguous<false>(source, panel);
    } else {
      is_b ? pack_strided<true>(source, panel) : pack_strided<false>(source, panel);
    }
  }
};

// Rounds as to_bf16 does.
HWY_INLINE __m256i narrow(__m512 x) {
  const __m512i bits = _mm512_castps_si512(x);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x00400000));
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_mask_mov_epi32(rounded, nan, quiet), 16));
}
HWY_INLINE __m512 widen(__m256i x) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
}

void write_part(const GemmProduct& p, int64_t row, int64_t column, const float* sums,
                bool past_caches) {
  const auto mask = static_cast<__mmask16>(first_halves(std::min<int64_t>(16, p.n - column)));
  if (mask == 0) return;
  __m512 x = _mm512_load_ps(sums);
  if (p.bias != nullptr) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, p.bias + column));
  if (p.c_is_bf16) {
    bf16* const c = static_cast<bf16*>(p.c) + row * p.c_stride + column;
    if (p.accumulate) x = _mm512_add_ps(x, widen(_mm256_maskz_loadu_epi16(mask, c)));
    _mm256_mask_storeu_epi16(c, mask, narrow(x));
  } else {
    float* const c = static_cast<float*>(p.c) + row * p.c_stride + column;
    if (p.accumulate) x = _mm512_add_ps(x, _mm512_maskz_loadu_ps(mask, c));
    if (past_caches && mask == 0xffff && reinterpret_cast<uintptr_t>(c) % 64 == 0) {
      _mm512_stream_ps(c, x);
    } else {
      _mm512_mask_storeu_ps(c, mask, x);
    }
  }
}

// A large result that is only written, such as a gradient of weights, bypasses the caches: it
// would not stay in them until it is used.
bool goes_past_caches(const GemmProduct& p) {
  constexpr int64_t kLarge = int64_t{4} << 20;
  return !p.accumulate && !p.c_is_bf16 && p.m * p.n * int64_t{sizeof(float)} >= kLarge;
}

void write_product(const GemmProduct& p, int64_t row, int64_t column, const float* sums) {
  const int64_t rows = std::min(kPanel, p.m - row);
  const bool past_caches = goes_past_caches(p);
  for (int64_t i = 0; i < rows; ++i) {
    write_part(p, row + i, column, sums + i * kPanel, past_caches);
    write_part(p, row + i, column + 16, sums + i * kPanel + 16, past_caches);
  }
}

// How K is divided: into pieces whose panels fit the first-level cache, and into blocks of
// pieces for which all panels of the shared factor fit the second-level cache.
struct Cuts {
  int64_t piece, block;  // multiples of kStep

  Cuts(int64_t k, int64_t shared_panels) {
    const int64_t pieces = std::max<int64_t>(1, (k + kPiece / 2) / kPiece);
    piece = round_up((k + pieces - 1) / pieces);
    const int64_t fitting = kSharedElements / (shared_panels * kPanel * piece);
    block = std::min(std::max<int64_t>(1, fitting) * piece, round_up(k));
  }
  static int64_t round_up(int64_t k) { return (k + kStep - 1) / kStep * kStep; }
};

// What one thread does: panels [begin, end) of the streamed factor with all of the shared one.
struct Work {
  const GemmProduct& product;
  const Panels& streaming;
  const Panels& shared;
  const Cuts& cuts;
  bf16* packed;  // of the shared factor: by piece, panel, tile
  bf16* panel;   // of the streamed factor
  float* sums;   // of panel pairs whose K is not complete
  int64_t begin, end;

  bf16* place(int64_t offset, int64_t index) const {
    return packed + (offset * shared.count() + index * cuts.piece) * kPanel;
  }
  void share(int64_t k0, int64_t depth, int64_t thread, int64_t threads) const {
    for (int64_t k = 0; k < depth; k += cuts.piece) {
      for (int64_t j = thread; j < shared.count(); j += threads) {
        shared.pack(j, k0 + k, std::min(cuts.piece, depth - k), place(k, j));
      }
    }
  }
  void run(int64_t k0, int64_t depth) const {
    const bool keeps_sums = cuts.block < product.k;
    for (int64_t i = begin; i < end; ++i) {
      float* const s = keeps_sums ? sums + (i - begin) * shared.count() * kSums : sums;
      for (int64_t k = 0; k < depth; k += cuts.piece) {
        const int64_t taken = std::min(cuts.piece, depth - k);
        streaming.pack(i, k0 + k, taken, panel);
        const int64_t next = k + cuts.piece;
        Fetch fetch =
            next < depth
                ? streaming.fetch(i, k0 + next, std::min(cuts.piece, depth - next))
                : streaming.fetch(std::min(i + 1, end - 1), k0, std::min(cuts.piece, depth));
        multiply(i, k0 + k, taken, place(k, 0), s, fetch);
      }
    }
  }
  void multiply(int64_t i, int64_t k, int64_t depth, const bf16* others, float* s,
                Fetch& fetch) const {
    const int64_t steps = steps_of(depth);
    fetch.spread_over(steps * shared.count());
    const bool first = k == 0;
    const bool last = k + depth == product.k;
    for (int64_t j = 0; j < shared.count(); ++j, others += cuts.piece * kPanel) {
      float* const sum = first && last ? s : s + j * kSums;
      const bf16* const left = streaming.is_b ? others : panel;
      const bf16* const right = streaming.is_b ? panel : others;
      const int64_t rows = product.m - kPanel * (streaming.is_b ? j : i);
      multiply_tiles_bf16({.left = reinterpret_cast<const std::byte*>(left),
                           .left_stride = steps * kTileBytes,
                           .right = reinterpret_cast<const std::byte*>(right),
                           .depth = steps,
                           .rows = std::min(rows, kPanel),
                           .accumulate = !first,
                           .result = sum,
                           .fetch = &fetch});
      if (!last) continue;
      const int64_t row = kPanel * (streaming.is_b ? j : i);
      write_product(product, row, kPanel * (streaming.is_b ? i : j), sum);
    }
  }
};

}  // namespace

void tile_multiply(const GemmProduct& product) {
  const Panels rows{product.a, product.m, false}, columns{product.b, product.n, true};
  const bool a_streams = product.m >= product.n;
  const Panels& streaming = a_streams ? rows : columns;
  const Panels& shared = a_streams ? columns : rows;
  const Cuts cuts(product.k, shared.count());
  const int64_t panels = streaming.count();
  const int threads = static_cast<int>(std::min<int64_t>(worker_threads(), panels));
  bf16* const packed = scratch<bf16>(Scratch::kPacked, shared.count() * cuts.block * kPanel);
  const auto body = [&](int64_t thread, int64_t team, const auto& barrier) {
    const int64_t begin = panels * thread / team, end = panels * (thread + 1) / team;
    const int64_t kept = cuts.block < product.k ? end - begin : 1;
    const Work work{product,
                    streaming,
                    shared,
                    cuts,
                    packed,
                    scratch<bf16>(Scratch::kPanel, cuts.piece * kPanel),
                    scratch<float>(Scratch::kSums, kept * shared.count() * kSums),
                    begin,
                    end};
    const TileSession tiles;
    for (int64_t k0 = 0; k0 < product.k; k0 += cuts.block) {
      const int64_t depth = std::min(cuts.block, product.k - k0);
      work.share(k0, depth, thread, team);
      barrier();
      work.run(k0, depth);
      if (goes_past_caches(product)) _mm_sfence();  // before another thread may read it
      if (k0 + cuts.block < product.k) barrier();
    }
  };
  if (threads <= 1) {
    body(0, 1, [] {});
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    body(omp_get_thread_num(), omp_get_num_threads(), [] {
#pragma omp barrier
    });
  }
}

}  // namespace spanforge::ops
HWY_POP_ATTRIBUTES

#else

namespace spanforge::ops {
void tile_multiply(const GemmProduct&) {}
}  // namespace spanforge::ops

#endif
