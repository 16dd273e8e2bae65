#pragma once
// What: Finds the ranges of layer inputs that int8 layers need, from the batches of a calibration.
//   It takes two passes over the same batches: the first finds the extremes, the second counts
//   values between them, so that the rarest may be clipped.
// Threads: not concurrent.

#include <array>
#include <cstdint>
#include <vector>

#include "spanforge/model/block.h"
#include "spanforge/model/int8_file.h"

namespace spanforge {

class Int8Calibration {
 public:
  explicit Int8Calibration(size_t blocks) : seen_(blocks) {}

  void see_ends(size_t block, BlockLinear linear, const Tensor& x);
  void see_values(size_t block, BlockLinear linear, const Tensor& x);  // after all ends

  // share: of the values that must stay inside, e.g. 0.9999; at 1 all of them do. Zero is always
  // inside and exact.
  Int8Ranges ranges(double share) const;

 private:
  static constexpr int64_t kBins = 8192;
  struct Seen {
    float least = 0, most = 0;
    std::vector<int64_t> counts;
  };
  std::vector<std::array<Seen, kBlockLinears>> seen_;
};

// 256 steps over [least, most], which must contain zero.
ops::InputRange input_range(float least, float most);

}  // namespace spanforge
