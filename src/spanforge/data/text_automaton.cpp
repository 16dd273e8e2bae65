#include "spanforge/data/text_automaton.h"

#include <algorithm>
#include <numeric>

namespace spanforge {

TextAutomaton::TextAutomaton(std::span<const std::u32string> texts) : node_of_(texts.size()) {
  sizes_.reserve(texts.size());
  for (const std::u32string& text : texts) sizes_.push_back(static_cast<int64_t>(text.size()));
  std::vector<uint32_t> order(texts.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return texts[a] < texts[b]; });

  // The texts that begin with a node's prefix are neighbours in that order.
  struct Texts {
    uint32_t begin, end;
    uint32_t depth;
  };
  std::vector<Texts> of_node = {{0, static_cast<uint32_t>(texts.size()), 0}};
  nodes_.emplace_back();
  for (size_t node = 0; node < of_node.size(); ++node) {
    const auto [begin, end, depth] = of_node[node];
    nodes_[node].first_child = static_cast<uint32_t>(nodes_.size());
    uint32_t at = begin;
    for (; at < end && texts[order[at]].size() == depth; ++at) {
      node_of_[order[at]] = static_cast<uint32_t>(node);
    }
    while (at < end) {
      const char32_t c = texts[order[at]][depth];
      const uint32_t first = at;
      while (at < end && texts[order[at]][depth] == c) ++at;
      of_node.push_back({first, at, depth + 1});
      nodes_.push_back({.last = c});
    }
  }
  nodes_.push_back({.first_child = static_cast<uint32_t>(nodes_.size())});  // ends the last node
  link_suffixes();
}

uint32_t TextAutomaton::child(uint32_t node, char32_t c) const {
  const auto begin = nodes_.begin() + nodes_[node].first_child;
  const auto end = nodes_.begin() + nodes_[node + 1].first_child;
  const auto at = std::lower_bound(
      begin, end, c, [](const Node& one, char32_t sought) { return one.last < sought; });
  return at != end && at->last == c ? static_cast<uint32_t>(at - nodes_.begin()) : 0;
}

void TextAutomaton::link_suffixes() {
  for (uint32_t node = 0; node + 1 < nodes_.size(); ++node) {
    for (uint32_t i = nodes_[node].first_child; i < nodes_[node + 1].first_child; ++i) {
      if (node == 0) continue;
      uint32_t ending = nodes_[node].suffix;
      uint32_t longer = child(ending, nodes_[i].last);
      while (longer == 0 && ending != 0) {
        ending = nodes_[ending].suffix;
        longer = child(ending, nodes_[i].last);
      }
      nodes_[i].suffix = longer;
    }
  }
}

void TextAutomaton::read(char32_t c, bool may_end) {
  ++read_;
  uint32_t next = child(state_, c);
  while (next == 0 && state_ != 0) {
    state_ = nodes_[state_].suffix;
    next = child(state_, c);
  }
  state_ = next;
  if (!may_end) return;
  Node& node = nodes_[state_];
  if (node.ends++ == 0) node.first_end = read_;
}

std::vector<TextAutomaton::Found> TextAutomaton::finish() {
  // Where a text ends, its suffixes end, too. A node's suffix is shorter and has a smaller number.
  for (size_t i = nodes_.size() - 1; i-- > 1;) {
    const Node& node = nodes_[i];
    if (node.ends == 0) continue;
    Node& ending = nodes_[node.suffix];
    ending.first_end =
        ending.ends == 0 ? node.first_end : std::min(ending.first_end, node.first_end);
    ending.ends += node.ends;
  }
  std::vector<Found> found(node_of_.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const Node& node = nodes_[node_of_[i]];
    if (sizes_[i] > 0 && node.ends > 0) found[i] = {node.ends, node.first_end - sizes_[i]};
  }
  return found;
}

}  // namespace spanforge
