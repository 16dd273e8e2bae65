#include "spanforge/train/optimizer_state.h"

#include <algorithm>
#include <string>

#include "spanforge/base/error.h"
#include "spanforge/model/parameter_table.h"

namespace spanforge {
namespace {

int64_t aligned(int64_t offset) {
  return (offset + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

// Places the parts. Returns the number of elements of the slot.
int64_t lay_out(const StateSlot& slot, const TrainedParameters& parameters,
                std::vector<OptimizerState::Part>& parts) {
  int64_t end = 0, shift = 0;
  for (const auto& [row, joins] : parameters) {
    std::optional<StateShape> shape = slot.shape(*row);
    if (!shape) continue;
    int64_t size = 1;
    for (const int64_t extent : *shape) size *= extent;
    if (slot.cuts_anywhere) {
      if (!joins) shift = aligned(end) - row->offset;
      end = row->offset + shift;
    }
    parts.push_back({row->offset, end, size, std::move(*shape)});
    end += size;
  }
  return end;
}

}  // namespace

OptimizerState::OptimizerState(std::span<const StateSlot> slots,
                               const TrainedParameters& parameters, std::vector<ElementRange> held)
    : held_(std::move(held)) {
  for (const StateSlot& slot : slots) {
    Array array{.slot = slot};
    const int64_t elements = lay_out(slot, parameters, array.parts);
    const auto bytes = static_cast<size_t>(aligned(elements)) * sizeof(float);
    array.memory = Arena(bytes, /*huge_pages=*/held_.empty());
    arrays_.push_back(std::move(array));
  }
}

Tensor OptimizerState::Array::flat() const {
  return make_tensor(reinterpret_cast<float*>(memory.data()), 1,
                     static_cast<int64_t>(memory.size() / sizeof(float)));
}

const OptimizerState::Part* OptimizerState::Array::part_of(const Parameter& parameter) const {
  const auto found = std::lower_bound(
      parts.begin(), parts.end(), parameter.offset,
      [](const Part& part, int64_t offset) { return part.parameter_offset < offset; });
  const bool has = found != parts.end() && found->parameter_offset == parameter.offset;
  return has ? &*found : nullptr;
}

Tensor OptimizerState::Array::of(const Parameter& parameter) const {
  const Part* part = part_of(parameter);
  if (part == nullptr) {
    throw Error(ErrorCode::kInternal, {.where = "optimizer state"},
                "there is no " + std::string(slot.name) + " of " + parameter.name);
  }
  return flat().columns(part->offset, part->size);
}

std::vector<ElementRange> OptimizerState::Array::places_of(
    const std::vector<ElementRange>& ranges) const {
  std::vector<ElementRange> places;
  size_t next = 0;
  for (const Part& part : parts) {
    const int64_t begin = part.parameter_offset, end = begin + part.size;
    while (next < ranges.size() && ranges[next].end <= begin) ++next;
    for (size_t i = next; i < ranges.size() && ranges[i].begin < end; ++i) {
      const int64_t shift = part.offset - begin;
      places.push_back(
          {std::max(begin, ranges[i].begin) + shift, std::min(end, ranges[i].end) + shift});
    }
  }
  return places;
}

void OptimizerState::forget_others() const {
  if (held_.empty()) return;
  for (const Array& array : arrays_) {
    size_t from = 0;
    for (const ElementRange& place : array.places_of(held_)) {
      array.memory.forget(from, static_cast<size_t>(place.begin) * sizeof(float));
      from = static_cast<size_t>(place.end) * sizeof(float);
    }
    array.memory.forget(from, array.memory.size());
  }
}

const OptimizerState::Array& OptimizerState::array(std::string_view name) const {
  for (const Array& array : arrays_) {
    if (array.slot.name == name) return array;
  }
  throw Error(ErrorCode::kInternal, {.where = "optimizer state"}, "has no " + std::string(name));
}

uint64_t OptimizerState::bytes() const {
  uint64_t sum = 0;
  for (const Array& array : arrays_) sum += array.memory.size();
  return sum;
}

}  // namespace spanforge
