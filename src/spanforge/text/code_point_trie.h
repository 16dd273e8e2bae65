#pragma once
// A trie over code points with several roots and an int32 value a key, for longest-match lookups.
// First characters below 0x10000 are found in a dense table (so a one-character word, the usual
// Chinese one, costs one load), all other edges in one flat hash table.
// Cost: a step is one or two loads. Built once, then constant; const methods are concurrent.

#include <cstdint>
#include <string_view>
#include <vector>

namespace spanforge {

class CodePointTrie {
 public:
  static constexpr int32_t kNoValue = -1;
  struct Edge {
    int32_t node = 0;          // 0: no such edge
    int32_t value = kNoValue;  // of the key that ends here
  };

  explicit CodePointTrie(int roots) : first_(roots), next_node_(roots + 1) { rehash(1024); }

  // The first value given to a key stays. REQUIRES: key not empty, value >= 0.
  void insert(int root, std::u32string_view key, int32_t value);

  Edge first(int root, char32_t c) const {
    const std::vector<Edge>& dense = first_[root];
    if (c < dense.size()) return dense[c];
    return c < kDense ? Edge{} : next(root + 1, c);
  }
  Edge next(int32_t node, char32_t c) const {
    const uint64_t key = key_of(node, c);
    for (size_t i = hash(key) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return slots_[i].edge;
      if (slots_[i].key == 0) return {};
    }
  }

 private:
  static constexpr char32_t kDense = 0x10000;
  struct Slot {
    uint64_t key = 0;  // never 0 for an edge: nodes count from 1
    Edge edge;
  };
  static uint64_t key_of(int32_t node, char32_t c) { return static_cast<uint64_t>(node) << 21 | c; }
  static size_t hash(uint64_t key) { return (key * 0x9E3779B97F4A7C15ull) >> 29; }
  Edge& edge(int32_t node, char32_t c);  // made when absent
  void rehash(size_t capacity);

  std::vector<std::vector<Edge>> first_;  // [root][code point]; root r is node r + 1
  std::vector<Slot> slots_;
  size_t mask_ = 0, used_ = 0;
  int32_t next_node_;
};

}  // namespace spanforge
