#pragma once
// What: the pairs (s, e) of one window in order of falling score, one after the other, without
//   forming all of them: each start keeps its best end in a heap; taking a pair splits its range of
//   ends in two. The order equals a full sort: ties come smaller s first, then smaller e.
// Cost: one pass over the allowed pairs to begin, then O(range + log S) a pair; O(S) memory.

#include <cstdint>
#include <optional>
#include <queue>
#include <vector>

namespace spanforge {

// How a pair scores. Products are rounded to float, as a float32 outer product is.
enum class PairScore { kSum, kFloatProduct };

struct ScoredPair {
  int32_t start = 0, end = 0;  // tokens, end inclusive
  double score = 0;
};

// Ends allowed for one start: [first, last).
struct EndRange {
  int32_t first = 0, last = 0;
};

class SpanSearch {
 public:
  // start[s] and end[e] score tokens; ends[s] says which e may go with s. For kFloatProduct all
  // values must be >= 0.
  SpanSearch(std::vector<double> start, std::vector<double> end, const std::vector<EndRange>& ends,
             PairScore kind);
  // The best pair not given yet; nullopt when none is left.
  std::optional<ScoredPair> next();
  // Its score, without taking it.
  std::optional<double> peek() const;

 private:
  struct Node {
    ScoredPair best;
    EndRange range;  // best is the best of these ends
  };
  struct Worse {
    bool operator()(const Node& a, const Node& b) const;
  };
  void push(int32_t start, EndRange range);
  double score(int32_t s, int32_t e) const;

  std::vector<double> start_, end_;
  PairScore kind_;
  std::priority_queue<Node, std::vector<Node>, Worse> heap_;
};

// Ends s <= e < min(s + max_length, last) for starts in [first, last); none for other starts.
std::vector<EndRange> bounded_ends(int32_t tokens, int32_t first, int32_t last, int32_t max_length);

}  // namespace spanforge
