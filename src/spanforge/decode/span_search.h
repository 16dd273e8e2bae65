#pragma once
// What: Yields the pairs (s, e) of one window by falling score, one at a time, without forming all
//   of them. A score grows with its end's score. So the best score of a start and a range of ends
//   follows from the range's largest end score, which a table gives (one row per power of two). A
//   heap holds one such range for each start; taking a pair splits its range in two. The order
//   equals a full sort: ties by smaller s, then smaller e.
// Cost: O(S log R) to begin, R the longest range, then O(R + log S) per pair; O(S log R) memory.

#include <cstdint>
#include <optional>
#include <vector>

namespace spanforge {

// How a pair scores. Products are rounded to float, as in a float32 outer product.
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
  // start[s] and end[e] are the tokens' scores; ends[s] are the e that may follow s. For
  // kFloatProduct all values must be >= 0.
  SpanSearch(std::vector<double> start, std::vector<double> end, const std::vector<EndRange>& ends,
             PairScore kind);
  // Takes the best pair that is left; nullopt if none is.
  std::optional<ScoredPair> next();
  // The score of that pair, without taking it.
  std::optional<double> peek() const;

 private:
  // All pairs of one start and a range of ends. The best end is only searched for when the node is
  // taken, because most never are. Ranges of one start are disjoint.
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
  // [k][e]: the largest of end[e], ..., end[e + 2^k - 1], if there are so many.
  std::vector<std::vector<double>> end_;
  PairScore kind_;
  std::vector<Node> heap_;
};

// Ends s <= e < min(s + max_length, last) for starts in [first, last); none for other starts.
std::vector<EndRange> bounded_ends(int32_t tokens, int32_t first, int32_t last, int32_t max_length);

}  // namespace spanforge
