#include "spanforge/ops/runtime.h"

#include <omp.h>

#include <array>

#include "spanforge/base/threads.h"
#include "spanforge/ops/instruction_sets.h"

namespace spanforge::ops {

int worker_threads() {
  apply_isa_limit();
  return omp_in_parallel() != 0 ? 1 : thread_count();
}

void* scratch_bytes(Scratch slot, size_t bytes) {
  struct Buffer {
    AlignedBytes memory;
    size_t size = 0;
  };
  thread_local std::array<Buffer, static_cast<size_t>(Scratch::kCount)> buffers;
  Buffer& buffer = buffers[static_cast<size_t>(slot)];
  if (buffer.size < bytes) {
    buffer.memory.reset();
    buffer.size = 0;
    const size_t grown = bytes + bytes / 4 + 64;
    buffer.memory = allocate_aligned(grown);
    buffer.size = grown;
  }
  return buffer.memory.get();
}

}  // namespace spanforge::ops
