#pragma once
// Code points that Python's str.isprintable() denies: repr() escapes them. Ascending, closed
// ranges.

#include <cstddef>

namespace spanforge {

struct CodePointRange {
  char32_t first, last;
};
extern const CodePointRange kUnprintable[];
extern const size_t kUnprintableCount;

}  // namespace spanforge
