#pragma once
// What: a trie over code points with several roots and an int32 value per key, for longest-match
//   lookups. A double array (Aoe 1989): a step is two loads from tables that stay in the cache.
//   Node r, r < roots, is root r. Immutable once built.
// Cost: building is about linear in the length of the keys.
// Threads: const methods are concurrent.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

class CodePointTrie {
 public:
  static constexpr int32_t kNoValue = -1;
  // The keys of a trie. Their texts are in one string, because there may be very many.
  class Keys {
   public:
    // text: not empty; value >= 0. If keys are equal, the first value counts.
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

  // A character's code: 1, 2, ... for those that occur in keys, 0 for all others.
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
    int32_t base = 0;     // a child is at base + its code
    int32_t parent = -1;  // -1: a root or an unused unit
    int32_t value = kNoValue;
  };
  class Builder;
  static constexpr size_t kBlock = 256;  // characters in a block of codes_
  std::vector<uint32_t> blocks_;         // [code point / kBlock]: the block's begin in codes_
  std::vector<int32_t>
      codes_;                // begins with a block of zeros, for blocks without any key's character
  std::vector<Unit> units_;  // long enough for base + code of any node and code
};

}  // namespace spanforge
