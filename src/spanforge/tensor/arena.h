#pragma once
// Flat, 64-byte aligned memory from which tensors are cut.
// - Arena: a fixed block, cut once (parameters, gradients, moments).
// - ActivationArena: a stack that grows to the largest batch seen and is then reused. release(mark)
//   frees everything that was cut after mark(), so that layers reuse scratch memory.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "spanforge/tensor/tensor.h"

namespace spanforge {

struct AlignedDelete {
  void operator()(void* p) const;
};
using AlignedBytes = std::unique_ptr<std::byte, AlignedDelete>;
// Zeroed memory (large blocks by mmap), 64-byte aligned. bytes may be 0. Error{kInternal} naming
// the size if the system has no memory.
// huge_pages: large blocks come in pages of 2 MB where the system has them. Without them, memory is
// taken by the page of 4 KB that is written first.
AlignedBytes allocate_aligned(size_t bytes, bool huge_pages = true);

class Arena {
 public:
  Arena() = default;
  explicit Arena(size_t bytes, bool huge_pages = true);
  std::byte* data() const { return memory_.get(); }
  size_t size() const { return size_; }
  // Sets bytes [begin, end) to zero and returns their whole pages to the system.
  void forget(size_t begin, size_t end) const;

 private:
  AlignedBytes memory_;
  size_t size_ = 0;
};

class ActivationArena {
 public:
  Tensor allocate(DType dtype, int64_t rows, int64_t cols);  // contents undefined
  template <class T>
  Tensor allocate(int64_t rows, int64_t cols) {
    return allocate(DTypeOf<T>::value, rows, cols);
  }
  size_t mark() const { return used_; }
  void release(size_t mark);
  // The most bytes in use at one time: the size of one block for the same work.
  size_t peak_bytes() const { return peak_; }

 private:
  // Blocks never move while tensors use them; release(0) merges them into one of the peak's size.
  struct Block {
    AlignedBytes memory;
    size_t begin = 0, size = 0;  // in the arena's running byte count
    size_t skipped = 0;          // at its end, because the next tensor did not fit
  };
  Tensor cut(Block& block, size_t start, size_t bytes, DType dtype, int64_t rows, int64_t cols);
  void skip(Block& block);
  std::vector<Block> blocks_;
  size_t used_ = 0;     // in the running byte count
  size_t skipped_ = 0;  // part of used_: the sum over the blocks
  size_t peak_ = 0;
};

}  // namespace spanforge
