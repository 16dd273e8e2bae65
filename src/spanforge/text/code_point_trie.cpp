#include "spanforge/text/code_point_trie.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace spanforge {

// Lays out nodes breadth first, each at the first place where all its children find room.
class CodePointTrie::Builder {
 public:
  Builder(CodePointTrie& trie, const std::vector<Key>& keys) : trie_(trie), keys_(keys) {}

  void run(int32_t roots) {
    assign_codes();
    for (int32_t r = 0; r < roots; ++r) take(static_cast<size_t>(r));
    size_t begin = 0;
    for (int32_t r = 0; r < roots; ++r) {
      size_t end = begin;
      while (end < keys_.size() && keys_[end].root == r) ++end;
      if (end > begin) queue_.push_back({r, begin, end, 0});
      begin = end;
    }
    while (!queue_.empty()) {
      const Range range = queue_.front();
      queue_.pop_front();
      place_children(range);
    }
    trie_.units_.resize(
        std::max(taken_end_, static_cast<size_t>(largest_base_ + code_count_ + 1)));
  }

 private:
  struct Range {  // the keys below a node, which share their first `depth` characters
    int32_t node;
    size_t begin, end;
    size_t depth;
  };
  struct Child {
    int32_t code;
    size_t begin, end;
  };

  // Codes by frequency, so that common characters stand close together.
  void assign_codes() {
    std::vector<int64_t> counts;
    for (const Key& key : keys_) {
      for (const char32_t c : key.text) {
        if (c >= counts.size()) counts.resize(c + 1);
        ++counts[c];
      }
    }
    std::vector<std::pair<int64_t, char32_t>> ranked;
    for (char32_t c = 0; c < counts.size(); ++c) {
      if (counts[c] > 0) ranked.emplace_back(-counts[c], c);
    }
    std::sort(ranked.begin(), ranked.end());
    trie_.codes_.assign(counts.size(), 0);
    for (const auto& [count, c] : ranked) trie_.codes_[c] = ++code_count_;
  }

  void place_children(const Range& range) {
    size_t begin = range.begin;
    if (keys_[begin].text.size() == range.depth) {  // the key that ends here, maybe several times
      trie_.units_[static_cast<size_t>(range.node)].value = keys_[begin].value;
      while (begin < range.end && keys_[begin].text.size() == range.depth) ++begin;
    }
    children_.clear();
    while (begin < range.end) {
      const char32_t c = keys_[begin].text[range.depth];
      size_t end = begin;
      while (end < range.end && keys_[end].text[range.depth] == c) ++end;
      children_.push_back({trie_.codes_[c], begin, end});
      begin = end;
    }
    if (children_.empty()) return;
    const int32_t base = find_base();
    largest_base_ = std::max(largest_base_, base);
    trie_.units_[static_cast<size_t>(range.node)].base = base;
    for (const Child& child : children_) {
      const int32_t node = base + child.code;
      take(static_cast<size_t>(node));
      trie_.units_[static_cast<size_t>(node)].parent = range.node;
      queue_.push_back({node, child.begin, child.end, range.depth + 1});
    }
  }

  int32_t find_base() {
    constexpr int kTries = 64;  // then behind everything: keeps building linear
    int32_t lowest = children_.front().code;
    for (const Child& child : children_) lowest = std::min(lowest, child.code);
    size_t slot = next_free(static_cast<size_t>(lowest));
    for (int i = 0; i < kTries && slot < taken_end_; ++i, slot = next_free(slot + 1)) {
      const auto base = static_cast<int32_t>(slot) - lowest;
      const bool fits = std::all_of(children_.begin(), children_.end(), [&](const Child& child) {
        const auto at = static_cast<size_t>(base + child.code);
        return next_free(at) == at;
      });
      if (fits) return base;
    }
    return static_cast<int32_t>(std::max(taken_end_, static_cast<size_t>(lowest))) - lowest;
  }

  void take(size_t slot) {
    if (slot >= trie_.units_.size()) trie_.units_.resize(slot + slot / 2 + 1);
    reach(slot + 1);
    skip_[slot] = slot + 1;
    taken_end_ = std::max(taken_end_, slot + 1);
  }

  // The first free slot at or behind `slot`, by skip pointers with path halving.
  size_t next_free(size_t slot) {
    if (slot >= skip_.size()) return slot;
    while (skip_[slot] != slot) {
      const size_t next = skip_[slot];
      if (next < skip_.size()) skip_[slot] = skip_[next];
      slot = next;
      if (slot >= skip_.size()) return slot;
    }
    return slot;
  }
  void reach(size_t slot) {
    while (skip_.size() <= slot) skip_.push_back(skip_.size());
  }

  CodePointTrie& trie_;
  const std::vector<Key>& keys_;
  std::deque<Range> queue_;
  std::vector<Child> children_;
  std::vector<size_t> skip_;
  size_t taken_end_ = 0;
  int32_t code_count_ = 0, largest_base_ = 0;
};

CodePointTrie::CodePointTrie(int32_t roots, std::vector<Key> keys) {
  std::stable_sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return a.root != b.root ? a.root < b.root : a.text < b.text;
  });
  Builder(*this, keys).run(roots);
}

}  // namespace spanforge
