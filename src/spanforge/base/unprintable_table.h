#pragma once
// The code points for which Python's str.isprintable() is false, which repr() escapes. Closed
// ranges in ascending order.

#include <cstddef>

namespace spanforge {

struct CodePointRange {
  char32_t first, last;
};
extern const CodePointRange kUnprintable[];
extern const size_t kUnprintableCount;

}  // namespace spanforge
