#include "spanforge/train/division.h"

#include <algorithm>
#include <limits>

#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

constexpr int64_t kBucket = 1 << 20;  // elements: 4 MB
constexpr int64_t kBlock = ops::kSumBlock;

int64_t rounded_up(int64_t count, int64_t unit) { return (count + unit - 1) / unit * unit; }

// Copies ranges of a slot into or out of one flat buffer.
std::vector<float> packed(const Tensor& slot, const std::vector<ElementRange>& ranges) {
  std::vector<float> flat;
  for (const ElementRange& range : ranges) {
    flat.insert(flat.end(), slot.as<float>() + range.begin, slot.as<float>() + range.end);
  }
  return flat;
}
void unpack(const std::vector<float>& flat, const std::vector<ElementRange>& ranges,
            const Tensor& slot) {
  const float* from = flat.data();
  for (const ElementRange& range : ranges) {
    std::copy_n(from, range.size(), slot.as<float>() + range.begin);
    from += range.size();
  }
}

int64_t size_of(const std::vector<ElementRange>& ranges) {
  int64_t size = 0;
  for (const ElementRange& range : ranges) size += range.size();
  return size;
}

}  // namespace

Division::Division(int64_t elements, int ranks)
    : elements_(elements), ranks_(ranks), bucket_(std::max(kBucket, ranks * kBlock)) {}

ElementRange Division::bucket(int64_t index) const {
  const int64_t begin = index * bucket_;
  return {begin, std::min(begin + bucket_, elements_)};
}

ElementRange Division::piece(int64_t index, int rank) const {
  const ElementRange all = bucket(index);
  const int64_t size = rounded_up((all.size() + ranks_ - 1) / ranks_, kBlock);
  const auto at = [&](int64_t place) { return std::min(all.begin + place * size, all.end); };
  return {at(rank), at(rank + 1)};
}

std::vector<ElementRange> Division::pieces_in(int64_t index) const {
  std::vector<ElementRange> pieces;
  for (int rank = 0; rank < ranks_; ++rank) pieces.push_back(piece(index, rank));
  return pieces;
}

std::vector<ElementRange> Division::pieces_of(int rank) const {
  std::vector<ElementRange> pieces;
  for (int64_t index = 0; index < bucket_count(); ++index) {
    const ElementRange one = piece(index, rank);
    if (one.size() > 0) pieces.push_back(one);
  }
  return pieces;
}

std::vector<ElementRange> Division::held_by(int rank) const {
  std::vector<ElementRange> held = pieces_of(rank);
  held.push_back({elements_, std::numeric_limits<int64_t>::max()});
  return held;
}

void gather_state(Group& group, const Division& division, const OptimizerState& state) {
  for (const OptimizerState::Array& array : state.arrays()) {
    const Tensor slot = array.flat();
    for (int64_t index = 0; index < division.bucket_count(); ++index) {
      const auto place = [&](int rank) {
        return array.places_of(std::vector{division.piece(index, rank)});
      };
      const std::vector<float> mine = packed(slot, place(group.rank()));
      std::vector<std::vector<float>> theirs;
      std::vector<Bytes> in;
      for (int rank = 0; rank < group.size() && group.leads(); ++rank) {
        theirs.emplace_back(static_cast<size_t>(size_of(place(rank))));
        in.push_back(std::as_writable_bytes(std::span(theirs.back())));
      }
      group.gather(std::as_bytes(std::span(mine)), in);
      for (int rank = 1; rank < static_cast<int>(theirs.size()); ++rank) {
        unpack(theirs[static_cast<size_t>(rank)], place(rank), slot);
      }
    }
  }
}

}  // namespace spanforge
