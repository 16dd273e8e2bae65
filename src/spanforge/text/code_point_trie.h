#pragma once
// A trie over code points with several roots and an int32 value a key, for longest-match lookups: a
// double array (Aoe 1989), so that a step is two loads, from tables small enough to stay in cache.
// Node r, r < roots, is root r. Immutable once built; const methods are concurrent.
// Cost of building: about linear in the length of the keys.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

class CodePointTrie {
 public:
  static constexpr int32_t kNoValue = -1;
  // What a trie is built of; their texts lie one behind the other, for there may be very many.
  class Keys {
   public:
    // text: not empty; value >= 0, of equal keys the first one's stays.
    void add(int32_t root, std::u32string_view text, int32_t value);
    bool empty() const { return keys_.empty(); }

   private:
    friend class CodePointTrie;
    struct Key {
      int32_t root = 0;
      int32_t value = 0;
      uint32_t begin = 0, length = 0;  // of the text, in texts_
    };
    std::vector<Key> keys_;
    std::u32string texts_;
  };
  struct Edge {
    int32_t node = 0;          // 0: no such edge
    int32_t value = kNoValue;  // of the key that ends here
  };

  CodePointTrie() : CodePointTrie(1, Keys()) {}
  CodePointTrie(int32_t roots, const Keys& keys);

  // Characters are looked up by code: 1, 2, ... for those that occur in keys, 0 for all others.
  int32_t code(char32_t c) const {
    const size_t block = c / kBlock;
    return block < blocks_.size() ? codes_[blocks_[block] + c % kBlock] : 0;
  }
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
  static constexpr size_t kBlock = 256;  // characters whose codes stand together
  std::vector<uint32_t> blocks_;         // [code point / kBlock] of their begin in codes_
  std::vector<int32_t> codes_;  // begins with a block of zeros, for characters far from all keys
  std::vector<Unit> units_;     // long enough for base + code of any node and code
};

}  // namespace spanforge
