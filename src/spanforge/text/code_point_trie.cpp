#include "spanforge/text/code_point_trie.h"

#include <utility>

namespace spanforge {

void CodePointTrie::rehash(size_t capacity) {
  std::vector<Slot> old(capacity);
  std::swap(old, slots_);
  mask_ = capacity - 1;
  for (const Slot& slot : old) {
    if (slot.key == 0) continue;
    size_t i = hash(slot.key) & mask_;
    while (slots_[i].key != 0) i = (i + 1) & mask_;
    slots_[i] = slot;
  }
}

CodePointTrie::Edge& CodePointTrie::edge(int32_t node, char32_t c) {
  if (used_ * 2 >= slots_.size()) rehash(slots_.size() * 2);
  const uint64_t key = key_of(node, c);
  size_t i = hash(key) & mask_;
  while (slots_[i].key != 0 && slots_[i].key != key) i = (i + 1) & mask_;
  if (slots_[i].key == 0) {
    slots_[i].key = key;
    ++used_;
  }
  return slots_[i].edge;
}

void CodePointTrie::insert(int root, std::u32string_view key, int32_t value) {
  int32_t node = root + 1;
  for (size_t i = 0; i < key.size(); ++i) {
    Edge* e;
    if (i == 0 && key[0] < kDense) {
      if (key[0] >= first_[root].size()) first_[root].resize(key[0] + 1);
      e = &first_[root][key[0]];
    } else {
      e = &edge(node, key[i]);
    }
    if (e->node == 0) e->node = next_node_++;
    if (i + 1 == key.size() && e->value == kNoValue) e->value = value;
    node = e->node;
  }
}

}  // namespace spanforge
