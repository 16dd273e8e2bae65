#include "spanforge/text/code_point_trie.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "spanforge/base/error.h"

namespace spanforge {

void CodePointTrie::Keys::add(int32_t root, std::u32string_view text, int32_t value) {
  if (texts_.size() + text.size() > INT32_MAX) {  // characters are counted in int32
    throw Error(ErrorCode::kInternal, {.where = "trie"}, "the keys have too many characters");
  }
  keys_.push_back(
      {root, value, static_cast<uint32_t>(texts_.size()), static_cast<uint32_t>(text.size())});
  texts_ += text;
}

// Lays out nodes breadth first, each at the first place with room for all its children.
class CodePointTrie::Builder {
 public:
  Builder(CodePointTrie& trie, const Keys& keys) : trie_(trie), all_(keys) {}

  void run(int32_t roots) {
    assign_codes();
    for (int32_t r = 0; r < roots; ++r) take(static_cast<size_t>(r));
    keys_.reserve(all_.keys_.size());
    for (int32_t r = 0; r < roots; ++r) {
      const size_t begin = keys_.size();
      for (const Key& key : all_.keys_) {
        if (key.root == r) keys_.push_back(key);
      }
      if (keys_.size() > begin) queue_.push_back({r, begin, keys_.size(), 0});
    }
    while (!queue_.empty()) {
      const Range range = queue_.front();
      queue_.pop_front();
      place_children(range);
    }
    trie_.units_.resize(std::max(taken_end_, static_cast<size_t>(largest_base_ + code_count_ + 1)));
  }

 private:
  using Key = Keys::Key;
  struct Range {  // the keys below a node; their first `depth` characters are equal
    int32_t node;
    size_t begin, end;
    size_t depth;
  };
  struct Child {
    int32_t code;
    size_t begin, end;
  };

  // Codes by frequency, so that common characters are close together.
  void assign_codes() {
    if (all_.texts_.empty()) return;
    const char32_t last = *std::max_element(all_.texts_.begin(), all_.texts_.end());
    trie_.blocks_.assign(last / kBlock + 1, 0);
    trie_.codes_.assign(kBlock, 0);
    std::vector<std::pair<int32_t, char32_t>> ranked;
    for (const char32_t c : all_.texts_) {
      if (own_code(c)++ == 0) ranked.emplace_back(0, c);  // first, how often it occurs
    }
    for (auto& [count, c] : ranked) count = -own_code(c);
    std::sort(ranked.begin(), ranked.end());
    for (const auto& [count, c] : ranked) own_code(c) = ++code_count_;
    counts_.assign(ranked.size() + 1, 0);
  }
  // Makes its block if it is missing.
  int32_t& own_code(char32_t c) {
    uint32_t& block = trie_.blocks_[c / kBlock];
    if (block == 0) {
      block = static_cast<uint32_t>(trie_.codes_.size());
      trie_.codes_.resize(block + kBlock);
    }
    return trie_.codes_[block + c % kBlock];
  }

  void place_children(const Range& range) {
    find_children(range);
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

  // Finds the children of a node, in order of their first keys. Groups the keys by child and keeps
  // their order.
  void find_children(const Range& range) {
    children_.clear();
    int32_t& value = trie_.units_[static_cast<size_t>(range.node)].value;
    for (size_t i = range.begin; i < range.end; ++i) {
      if (keys_[i].length == range.depth) {
        if (value == kNoValue) value = keys_[i].value;
        continue;
      }
      const int32_t code = code_at(keys_[i], range.depth);
      if (counts_[static_cast<size_t>(code)]++ == 0) children_.push_back({code, 0, 0});
    }
    size_t begin = range.begin;
    for (Child& child : children_) {
      size_t& count = counts_[static_cast<size_t>(child.code)];
      child.begin = child.end = begin;
      begin += std::exchange(count, 0);
    }
    if (children_.size() == 1 && begin == range.end) {
      children_[0].end = begin;  // nothing to move
      return;
    }
    for (size_t c = 0; c < children_.size(); ++c) {
      counts_[static_cast<size_t>(children_[c].code)] = c;
    }
    moved_.assign(keys_.begin() + static_cast<std::ptrdiff_t>(range.begin),
                  keys_.begin() + static_cast<std::ptrdiff_t>(range.end));
    for (const Key& key : moved_) {
      if (key.length == range.depth) continue;
      keys_[children_[counts_[static_cast<size_t>(code_at(key, range.depth))]].end++] = key;
    }
    for (const Child& child : children_) counts_[static_cast<size_t>(child.code)] = 0;
  }

  int32_t code_at(const Key& key, size_t position) const {
    return trie_.code(all_.texts_[key.begin + position]);
  }

  int32_t find_base() {
    constexpr int kTries = 64;  // then after all nodes: keeps building linear
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

  // The first free slot at or after `slot`, by skip pointers with path halving.
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
  const Keys& all_;
  std::vector<Key> keys_, moved_;
  std::vector<size_t> counts_;  // [code]; zero outside of find_children()
  std::deque<Range> queue_;
  std::vector<Child> children_;
  std::vector<size_t> skip_;
  size_t taken_end_ = 0;
  int32_t code_count_ = 0, largest_base_ = 0;
};

CodePointTrie::CodePointTrie(int32_t roots, const Keys& keys) { Builder(*this, keys).run(roots); }

}  // namespace spanforge
