#pragma once
// Cuts one buffer of scratch memory into aligned pieces. The cutting function runs twice, first to
// measure:
//
//   ScratchPieces measure;
//   cut_all(measure);
//   ScratchPieces pieces(Scratch::kWorker, measure.bytes());
//   cut_all(pieces);

#include <cstddef>
#include <cstdint>

#include "spanforge/ops/runtime.h"
#include "spanforge/tensor/tensor.h"

namespace spanforge::ops {

class ScratchPieces {
 public:
  ScratchPieces() = default;
  ScratchPieces(Scratch slot, int64_t bytes) : memory_(scratch<std::byte>(slot, bytes)) {}

  // Returns null while measuring.
  template <class T>
  T* cut(int64_t count) {
    std::byte* const piece = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += (count * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return static_cast<T*>(static_cast<void*>(piece));
  }
  template <class T>
  Tensor cut(int64_t rows, int64_t cols) {
    return make_tensor(cut<T>(rows * cols), rows, cols);
  }
  int64_t bytes() const { return bytes_; }

 private:
  std::byte* memory_ = nullptr;
  int64_t bytes_ = 0;
};

}  // namespace spanforge::ops
