#pragma once
// What: the places of many texts in one long text, found in a single pass (Aho and Corasick, 1975).
//   Places are counted, not listed: a text of n equal characters holds n * n / 2 of them.
// Time and memory: linear in the sought texts, but for sorting them; a character read costs a
//   constant and the logarithm of how many different characters may follow. Nothing depends on how
//   often texts stand somewhere, so no file can make it slow.
// Units: code points.
//
// Example: where "aa" stands in "aaa" (twice, first at 0):
//   TextAutomaton automaton(std::vector<std::u32string>{U"aa"});
//   for (const char32_t c : std::u32string_view(U"aaa")) automaton.read(c);
//   automaton.finish()[0].count == 2

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spanforge {

class TextAutomaton {
 public:
  struct Found {
    int64_t count = 0;   // overlapping places too; 0 for an empty text
    int64_t first = -1;  // the first start, counted in characters read; -1: nowhere
  };

  // Texts may repeat.
  explicit TextAutomaton(std::span<const std::u32string> texts);

  // Reads the next character. may_end: whether a text that ends with it counts.
  void read(char32_t c, bool may_end = true);
  // Of each text, in order. Call it once, after the last character.
  std::vector<Found> finish();

 private:
  // The node that the character leads to; 0, the root: none.
  uint32_t child(uint32_t node, char32_t c) const;
  void link_suffixes();

  // A node stands for a beginning of a text. They are numbered by depth, so the children of one
  // stand side by side, in the order of their characters.
  struct Node {
    char32_t last = 0;         // its last character
    uint32_t first_child = 0;  // to the next node's
    uint32_t suffix = 0;       // the node of its longest proper ending that is a node
    int64_t ends = 0;          // how many times reading was there
    int64_t first_end = -1;    // characters read when it first was
  };
  std::vector<Node> nodes_;
  std::vector<uint32_t> node_of_;  // of each text
  std::vector<int64_t> sizes_;     // of each text
  uint32_t state_ = 0;             // the longest beginning of a text that ends here
  int64_t read_ = 0;               // characters
};

}  // namespace spanforge
