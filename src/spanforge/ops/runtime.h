#pragma once
// What the operations share at run time: the instruction sets they may use, their threads, scratch
// memory, and the fixed blocks that make sums independent of the thread count.
//
// SPANFORGE_MAX_ISA = avx2 | avx512 | avx512_bf16 | amx limits GEMM and kernels together. It is
// read once, before the first operation. Another value: Error{kUsage}.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include "spanforge/tensor/arena.h"

namespace spanforge::ops {

// The number of threads of the next parallel region. Every operation calls this before it runs a
// kernel, which also applies SPANFORGE_MAX_ISA in time.
int worker_threads();

// Rows per partial sum of a reduction over `rows` rows. Depends on `rows` alone.
constexpr int64_t reduction_rows(int64_t rows) { return rows <= 512 ? 16 : (rows + 31) / 32; }

// Below this many elements, waking the other threads costs more than it saves.
inline constexpr int64_t kSmallWork = 1 << 14;

// Calls body(i) for i in [0, n) on all threads. body must not throw. elements: roughly, of one
// piece.
template <class Body>
void parallel_blocks(int64_t n, int64_t elements, const Body& body) {
  const int threads = worker_threads();
  if (n <= 1 || threads <= 1 || n * elements < kSmallWork) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t i = 0; i < n; ++i) body(i);
}

// The same for pieces of uneven cost. body may throw; one of the exceptions is rethrown.
template <class Body>
void parallel_dynamic(int64_t n, int64_t elements, const Body& body) {
  const int threads = worker_threads();
  if (n <= 1 || threads <= 1 || n * elements < kSmallWork) {
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (int64_t i = 0; i < n; ++i) {
    try {
      body(i);
    } catch (...) {
#pragma omp critical(spanforge_ops_failure)
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

// Calls body(begin, end) for the row ranges of `block` rows that cover [0, rows).
template <class Body>
void parallel_rows(int64_t rows, int64_t block, int64_t elements_per_row, const Body& body) {
  parallel_blocks((rows + block - 1) / block, block * elements_per_row, [&](int64_t i) {
    const int64_t begin = i * block;
    body(begin, begin + block < rows ? begin + block : rows);
  });
}

// Memory of one thread for the duration of one operation, 64-byte aligned, contents undefined.
// Each slot is a separate buffer, which is kept between calls.
enum class Scratch {
  kGemm,
  kConvert,
  kPartials,
  kWorker,
  kRelative,
  kPacked,
  kPanel,
  kSums,
  kCount
};
void* scratch_bytes(Scratch slot, size_t bytes);
template <class T>
T* scratch(Scratch slot, int64_t count) {
  return static_cast<T*>(scratch_bytes(slot, static_cast<size_t>(count) * sizeof(T)));
}

}  // namespace spanforge::ops
