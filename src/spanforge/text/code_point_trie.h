#pragma once
// A trie over code points with several roots and an int32 value a key, for longest-match lookups: a
// double array (Aoe 1989), so that a step is two loads, from tables small enough to stay in cache.
// Node r, r < roots, is root r. Immutable once built; const methods are concurrent.
// Cost of building: sorting the keys, then about linear in their length.

#include <cstdint>
#include <string>
#include <vector>

namespace spanforge {

class CodePointTrie {
 public:
  static constexpr int32_t kNoValue = -1;
  struct Key {
    int32_t root = 0;
    std::u32string text;  // not empty
    int32_t value = 0;    // >= 0; of equal keys the first one's stays
  };
  struct Edge {
    int32_t node = 0;          // 0: no such edge
    int32_t value = kNoValue;  // of the key that ends here
  };

  CodePointTrie() : CodePointTrie(1, {}) {}
  CodePointTrie(int32_t roots, std::vector<Key> keys);

  // Characters are looked up by code: 1, 2, ... for those that occur in keys, 0 for all others.
  int32_t code(char32_t c) const { return c < codes_.size() ? codes_[c] : 0; }
  Edge next(int32_t node, char32_t c) const { return step(node, code(c)); }
  Edge step(int32_t node, int32_t code) const {
    const int32_t child = units_[static_cast<size_t>(node)].base + code;
    const Unit& unit = units_[static_cast<size_t>(child)];
    if (code == 0 || unit.parent != node) return {};
    return {child, unit.value};
  }

 private:
  struct Unit {
    int32_t base = 0;     // children stand at base + their code
    int32_t parent = -1;  // of roots and of units that are no node
    int32_t value = kNoValue;
  };
  class Builder;
  std::vector<int32_t> codes_;  // [code point]
  std::vector<Unit> units_;     // long enough for base + code of any node and code
};

}  // namespace spanforge
