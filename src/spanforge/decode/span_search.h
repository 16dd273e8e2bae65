#pragma once
// What: the pairs (s, e) of one window in order of falling score, one after the other, without
//   forming all of them. A score grows with its end's, so the best score of a start and a range of
//   ends is known from the range's largest end score, which a table gives (one row a power of two).
//   A heap holds one such range for each start; taking a pair splits its range of ends in two. The
//   order equals a full sort: ties come smaller s first, then smaller e.
// Cost: O(S log R) to begin, R the longest range, then O(R + log S) a pair; O(S log R) memory.

#include <cstdint>
#include <optional>
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
  // All pairs of one start and a range of ends. Which end is the best one is found when it is
  // taken: most ranges never are. Ranges of one start are disjoint.
  struct Node {
    double score = 0;  // of the best pair
    int32_t start = 0;
    EndRange range;
  };
  struct Worse {
    bool operator()(const Node& a, const Node& b) const;
  };
  void make_table(int32_t longest_range);
  double largest_end(EndRange range) const;
  void push(int32_t start, EndRange range);
  double score(double start, double end) const;

  std::vector<double> start_;
  // [k][e]: the largest of end[e], ..., end[e + 2^k - 1], as far as there are so many.
  std::vector<std::vector<double>> end_;
  PairScore kind_;
  std::vector<Node> heap_;
};

// Ends s <= e < min(s + max_length, last) for starts in [first, last); none for other starts.
std::vector<EndRange> bounded_ends(int32_t tokens, int32_t first, int32_t last, int32_t max_length);

}  // namespace spanforge
