#include "spanforge/model/int8_calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

// Calls body with each value.
template <class Body>
void for_values(const Tensor& x, const Body& body) {
  for (int64_t r = 0; r < x.rows; ++r) {
    for (int64_t j = 0; j < x.cols; ++j) {
      body(x.dtype == DType::kF32 ? x.row<float>(r)[j] : to_float(x.row<bf16>(r)[j]));
    }
  }
}

// The most bins, from the first on, that together hold at most `allowed` values.
template <class Iterator>
int64_t bins_to_cut(Iterator first, Iterator end, int64_t allowed) {
  int64_t bins = 0;
  for (; first != end && *first <= allowed; ++first, ++bins) allowed -= *first;
  return bins;
}

}  // namespace

void Int8Calibration::see_ends(size_t block, BlockLinear linear, const Tensor& x) {
  Seen& seen = seen_[block][static_cast<size_t>(linear)];
  for_values(x, [&](float v) {
    seen.least = std::min(seen.least, v);
    seen.most = std::max(seen.most, v);
  });
}

void Int8Calibration::see_values(size_t block, BlockLinear linear, const Tensor& x) {
  Seen& seen = seen_[block][static_cast<size_t>(linear)];
  seen.counts.resize(kBins);
  const float width = seen.most - seen.least;
  const float per_unit = width > 0 ? static_cast<float>(kBins) / width : 0.0f;
  for_values(x, [&](float v) {
    const auto bin = static_cast<int64_t>((v - seen.least) * per_unit);
    ++seen.counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1))];
  });
}

Int8Ranges Int8Calibration::ranges(double share) const {
  Int8Ranges ranges(seen_.size());
  for (size_t block = 0; block < seen_.size(); ++block) {
    for (size_t i = 0; i < kBlockLinears; ++i) {
      const Seen& seen = seen_[block][i];
      const int64_t total = std::accumulate(seen.counts.begin(), seen.counts.end(), int64_t{0});
      const auto allowed = static_cast<int64_t>(static_cast<double>(total) * (1.0 - share) / 2);
      const float bin = (seen.most - seen.least) / static_cast<float>(kBins);
      const int64_t low = bins_to_cut(seen.counts.begin(), seen.counts.end(), allowed);
      const int64_t high = bins_to_cut(seen.counts.rbegin(), seen.counts.rend(), allowed);
      ranges[block][i] = input_range(seen.least + bin * static_cast<float>(low),
                                     seen.most - bin * static_cast<float>(high));
    }
  }
  return ranges;
}

ops::InputRange input_range(float least, float most) {
  least = std::min(least, 0.0f);
  most = std::max(most, 0.0f);
  const float scale = std::max((most - least) / 255.0f, 1e-12f);
  const auto zero = static_cast<int32_t>(std::nearbyint(-least / scale));
  return {scale, std::clamp(zero, 0, 255)};
}

}  // namespace spanforge
