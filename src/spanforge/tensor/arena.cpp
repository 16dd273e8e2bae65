#include "spanforge/tensor/arena.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace spanforge {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kMapFrom = 2 * kHugePage;  // smaller blocks come from the heap
constexpr size_t kFirstBlock = size_t{1} << 20;

// The 64 bytes before every block, so that a plain pointer is enough to free it.
struct Header {
  void* base;
  size_t mapped;  // bytes of the mapping; 0: from calloc
};
static_assert(sizeof(Header) <= kAlignment);

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

[[noreturn]] void out_of_memory(size_t bytes) {
  throw Error(ErrorCode::kInternal, {.where = "memory"},
              "the system has no " + std::to_string(bytes) +
                  " bytes; use a smaller model, batch size or window");
}

}  // namespace

AlignedBytes allocate_aligned(size_t bytes, bool huge_pages) {
  if (bytes > (size_t{1} << 60)) out_of_memory(bytes);
  Header header{nullptr, 0};
  size_t offset = 0;
  if (bytes >= kMapFrom) {
    header.mapped = round_up(bytes + kAlignment, kHugePage) + kHugePage;
    void* base =
        ::mmap(nullptr, header.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) out_of_memory(bytes);
    header.base = base;
    const auto address = reinterpret_cast<uintptr_t>(base);
    offset = round_up(address, kHugePage) - address + kAlignment;
#ifdef MADV_HUGEPAGE
    // Huge ones reduce page faults and TLB misses. A system without them refuses, which does no
    // harm.
    ::madvise(static_cast<std::byte*>(base) + offset - kAlignment,
              header.mapped - offset + kAlignment, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
#endif
  } else {
    header.base = std::calloc(1, bytes + 2 * kAlignment);
    if (header.base == nullptr) out_of_memory(bytes);
    const auto address = reinterpret_cast<uintptr_t>(header.base);
    offset = round_up(address, kAlignment) - address + kAlignment;
  }
  std::byte* data = static_cast<std::byte*>(header.base) + offset;
  *reinterpret_cast<Header*>(data - kAlignment) = header;
  return AlignedBytes(data);
}

void AlignedDelete::operator()(void* p) const {
  if (p == nullptr) return;
  const Header header = *reinterpret_cast<Header*>(static_cast<std::byte*>(p) - kAlignment);
  if (header.mapped != 0) {
    ::munmap(header.base, header.mapped);
  } else {
    std::free(header.base);
  }
}

Arena::Arena(size_t bytes, bool huge_pages)
    : memory_(allocate_aligned(bytes, huge_pages)), size_(bytes) {}

void Arena::forget(size_t begin, size_t end) const {
  if (begin >= end) return;
  const auto at = reinterpret_cast<uintptr_t>(data());
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t first = std::min(round_up(at + begin, page) - at, end);
  const size_t last = std::max((at + end) / page * page, at + first) - at;
  // Memory from the heap is left to it.
  const bool returned = size_ >= kMapFrom && first < last &&
                        ::madvise(data() + first, last - first, MADV_DONTNEED) == 0;
  if (!returned) {
    std::memset(data() + begin, 0, end - begin);
    return;
  }
  std::memset(data() + begin, 0, first - begin);
  std::memset(data() + last, 0, end - last);
}

Tensor ActivationArena::allocate(DType dtype, int64_t rows, int64_t cols) {
  if (rows < 0 || cols < 0) {
    throw Error(ErrorCode::kInternal, {.where = "activation arena"},
                "negative shape " + std::to_string(rows) + " x " + std::to_string(cols));
  }
  const size_t bytes = round_up(
      static_cast<size_t>(rows) * static_cast<size_t>(cols) * dtype_size(dtype), kAlignment);
  // The first block at or after used_ with enough room.
  for (Block& block : blocks_) {
    const size_t end = block.begin + block.size;
    if (used_ > end) continue;
    const size_t start = std::max(used_, block.begin);
    if (bytes <= end - start) return cut(block, start, bytes, dtype, rows, cols);
    skip(block);
  }
  Block block;
  block.begin = blocks_.empty() ? 0 : blocks_.back().begin + blocks_.back().size;
  block.size = std::max({bytes, kFirstBlock, block.begin / 2});
  block.memory = allocate_aligned(block.size);
  blocks_.push_back(std::move(block));
  return cut(blocks_.back(), blocks_.back().begin, bytes, dtype, rows, cols);
}

Tensor ActivationArena::cut(Block& block, size_t start, size_t bytes, DType dtype, int64_t rows,
                            int64_t cols) {
  used_ = start + bytes;
  peak_ = std::max(peak_, used_ - skipped_);
  return make_tensor(block.memory.get() + (start - block.begin), dtype, rows, cols);
}

void ActivationArena::skip(Block& block) {
  const size_t end = block.begin + block.size;
  block.skipped = end - std::max(used_, block.begin);
  skipped_ += block.skipped;
  used_ = end;
}

void ActivationArena::release(size_t mark) {
  if (mark > used_) {
    throw Error(ErrorCode::kInternal, {.where = "activation arena"},
                "released to a mark that lies ahead of what is used");
  }
  used_ = mark;
  for (Block& block : blocks_) {
    if (block.begin + block.size <= mark) continue;
    skipped_ -= block.skipped;
    block.skipped = 0;
  }
  if (mark != 0 || blocks_.size() < 2) return;
  blocks_.clear();
  Block block;
  block.size = peak_;
  block.memory = allocate_aligned(block.size);
  blocks_.push_back(std::move(block));
}

}  // namespace spanforge
