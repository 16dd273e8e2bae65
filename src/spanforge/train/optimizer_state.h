#pragma once
// What: The arrays that an optimiser keeps between steps, under torch's names. A slot is one array,
//   with a part for each parameter that has such state. Parameters that are not trained have none.
// Layout: A slot with cuts_anywhere follows the model's arenas within each run of adjacent trained
//   parameters, gaps included, so that a flat range of the arenas is one of the slot. In other
//   slots the parts follow each other without gaps. Gaps are zeros.
// Identity: A part is found by its parameter's offset in the arenas. So a state fits any model of
//   one shape, and may outlive it.
// Division: A state may be held in part, for the ranks of a group (division.h). What is not held is
//   zero and takes no memory, but for some pages of 4 KB.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "spanforge/tensor/arena.h"
#include "spanforge/train/trained_parameters.h"

namespace spanforge {

using StateShape = std::vector<int64_t>;  // empty: one number, a tensor of rank 0

struct ElementRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

struct StateSlot {
  std::string_view name;  // torch's key: "exp_avg"
  // True if any piece of a parameter can be updated with its piece of the slot alone. The slot then
  // has the parameter's shape and may be divided among processes at any element.
  bool cuts_anywhere;
  // The shape of a parameter's part; nullopt: it has none.
  std::optional<StateShape> (*shape)(const Parameter& parameter);
};

class OptimizerState {
 public:
  OptimizerState() = default;  // without any slot
  // held: elements of the arenas, ascending and apart; empty: all of them. REQUIRES: if not empty,
  // every slot cuts anywhere.
  OptimizerState(std::span<const StateSlot> slots, const TrainedParameters& parameters,
                 std::vector<ElementRange> held = {});

  // Calls body(range) for what of [begin, end) of the arenas is held, in order.
  template <class Body>
  void for_held(int64_t begin, int64_t end, const Body& body) const {
    if (held_.empty()) return body(ElementRange{begin, end});
    for (const ElementRange& one : held_) {
      const ElementRange common{std::max(begin, one.begin), std::min(end, one.end)};
      if (common.size() > 0) body(common);
    }
  }
  bool is_divided() const { return !held_.empty(); }
  // Sets to zero what is not held, and returns its memory.
  void forget_others() const;

  struct Part {
    int64_t parameter_offset;  // identifies the parameter
    int64_t offset, size;      // elements of the slot
    StateShape shape;
  };
  struct Array {
    StateSlot slot;
    std::vector<Part> parts;  // in the order of the arenas
    Arena memory;             // f32
    Tensor flat() const;      // [1,n], gaps included
    // nullptr: the parameter has no such state.
    const Part* part_of(const Parameter& parameter) const;
    // [1,n]; REQUIRES: it has such state.
    Tensor of(const Parameter& parameter) const;
    // Where in the slot these ranges of the arenas are, ascending. REQUIRES: it cuts anywhere.
    std::vector<ElementRange> places_of(const std::vector<ElementRange>& ranges) const;
  };
  const std::vector<Array>& arrays() const { return arrays_; }
  const Array& array(std::string_view name) const;  // REQUIRES: there is one
  uint64_t bytes() const;

 private:
  std::vector<Array> arrays_;
  std::vector<ElementRange> held_;
};

}  // namespace spanforge
