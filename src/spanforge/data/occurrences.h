#pragma once
// What: finds many texts in one context in one pass.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace spanforge {

struct Occurrences {
  int64_t count = 0;   // including overlapping ones; 0 for an empty text
  int64_t first = -1;  // code points; -1: there is none
};

// Returns one result for each text, in order. Time: linear in the context and all texts.
std::vector<Occurrences> find_occurrences(std::string_view context,
                                          std::span<const std::string_view> texts);

}  // namespace spanforge
