#pragma once
// Canonical decomposition and ordering of a text (Unicode's NFD).

#include <algorithm>
#include <cstdint>
#include <vector>

#include "spanforge/text/unicode.h"

namespace spanforge {

// Calls out(code point, first) for each character of the result. first: it is the first character
// of an original one's decomposition.
template <class Out>
void decompose_in_order(const std::vector<char32_t>& text, Out&& out) {
  struct Pending {
    uint8_t combining_class;
    bool first;
    char32_t c;
  };
  std::vector<Pending> pending;
  const auto flush = [&] {
    std::stable_sort(pending.begin(), pending.end(), [](const Pending& a, const Pending& b) {
      return a.combining_class < b.combining_class;
    });
    for (const Pending& p : pending) out(p.c, p.first);
    pending.clear();
  };
  for (const char32_t original : text) {
    unicode::decompose(original, [&](char32_t c, int index) {
      const uint8_t combining_class = unicode::record(c).combining_class;
      if (combining_class == 0) {
        flush();
        out(c, index == 0);
      } else {
        pending.push_back({combining_class, index == 0, c});
      }
    });
  }
  flush();
}

}  // namespace spanforge
