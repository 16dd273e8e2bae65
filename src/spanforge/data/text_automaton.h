#pragma once
// What: finds many texts in one long text in a single pass (Aho and Corasick, 1975). Places are
//   counted, not listed: a text of n equal characters may have n * n / 2 of them.
// Time and memory: linear in the sought texts, apart from sorting them. A character read costs a
//   constant and the logarithm of the number of characters that may follow. The number of places
//   does not matter, so no file can make it slow.
// Units: code points.
//
// Example: "aa" occurs in "aaa" twice, first at 0:
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
    int64_t count = 0;   // including overlapping places; 0 for an empty text
    int64_t first = -1;  // the first start, in characters read; -1: there is none
  };

  // Texts may repeat.
  explicit TextAutomaton(std::span<const std::u32string> texts);

  // Reads the next character. may_end: whether a text that ends with it counts.
  void read(char32_t c, bool may_end = true);
  // Returns one result for each text, in order. Call it once, after the last character.
  std::vector<Found> finish();

 private:
  // The child for the character; 0 (the root): there is none.
  uint32_t child(uint32_t node, char32_t c) const;
  void link_suffixes();

  // A node represents a prefix of a text. Nodes are numbered by depth, so the children of a node
  // are neighbours, in the order of their characters.
  struct Node {
    char32_t last = 0;         // its last character
    uint32_t first_child = 0;  // its children end at the next node's first_child
    uint32_t suffix = 0;       // the node of its longest proper suffix that is a node
    int64_t ends = 0;          // how often the state was this node
    int64_t first_end = -1;    // characters read when it first was
  };
  std::vector<Node> nodes_;
  std::vector<uint32_t> node_of_;  // of each text
  std::vector<int64_t> sizes_;     // of each text
  uint32_t state_ = 0;             // the longest prefix of a text that ends here
  int64_t read_ = 0;               // characters
};

}  // namespace spanforge
