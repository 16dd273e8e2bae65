#pragma once
// What: where many texts stand in one context, in one pass over it.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace spanforge {

struct Occurrences {
  int64_t count = 0;   // overlapping ones too; 0 for an empty text
  int64_t first = -1;  // code points; -1: nowhere
};

// Of each of the texts, in order. Time: linear in the context and the texts, however many there
// are.
std::vector<Occurrences> find_occurrences(std::string_view context,
                                          std::span<const std::string_view> texts);

}  // namespace spanforge
