#include "spanforge/decode/span_search.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

// All allowed pairs, fully sorted: the search must return them one by one.
std::vector<ScoredPair> brute_force(const std::vector<double>& start,
                                    const std::vector<double>& end,
                                    const std::vector<EndRange>& ends, PairScore kind) {
  std::vector<ScoredPair> pairs;
  for (size_t s = 0; s < ends.size(); ++s) {
    for (int32_t e = ends[s].first; e < ends[s].last; ++e) {
      const double a = start[s], b = end[static_cast<size_t>(e)];
      const double score =
          kind == PairScore::kSum ? a + b : static_cast<float>(a) * static_cast<float>(b);
      pairs.push_back({static_cast<int32_t>(s), e, score});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const ScoredPair& a, const ScoredPair& b) { return a.score > b.score; });
  return pairs;
}

void expect_same_order(const std::vector<double>& start, const std::vector<double>& end,
                       const std::vector<EndRange>& ends, PairScore kind) {
  SpanSearch search(start, end, ends, kind);
  for (const ScoredPair& expected : brute_force(start, end, ends, kind)) {
    ASSERT_EQ(search.peek(), expected.score);
    const std::optional<ScoredPair> found = search.next();
    ASSERT_TRUE(found);
    ASSERT_EQ(found->score, expected.score);
    ASSERT_EQ(found->start, expected.start);
    ASSERT_EQ(found->end, expected.end);
  }
  EXPECT_FALSE(search.next());
  EXPECT_FALSE(search.peek());
}

TEST(SpanSearch, EqualsAFullStableSortAlsoWithTies) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 200; ++round) {
    const auto tokens = static_cast<int32_t>(random() % 24);
    const auto longest = static_cast<int32_t>(random() % 26);
    std::vector<double> start, end;
    for (int32_t t = 0; t < tokens; ++t) {
      start.push_back(static_cast<double>(random() % 5) / 4);
      end.push_back(static_cast<double>(random() % 5) / 4);
    }
    const auto ends = bounded_ends(tokens, 0, tokens, longest);
    expect_same_order(start, end, ends, PairScore::kSum);
    expect_same_order(start, end, ends, PairScore::kFloatProduct);
  }
}

// Different ends score the same if the start is so large that rounding removes the difference.
TEST(SpanSearch, TiesThatRoundingMakesComeInOrder) {
  std::mt19937_64 random(testing::test_seed() + 1);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> start, end;
    std::vector<EndRange> ends;
    for (int32_t t = 0; t < 20; ++t) {
      start.push_back(random() % 2 == 0 ? 1e6 : 0.5);
      end.push_back(1 + static_cast<double>(random() % 7) * 3e-11);
      const auto first = static_cast<int32_t>(random() % 20);
      ends.push_back({first, first + static_cast<int32_t>(random() % (21 - first))});
    }
    expect_same_order(start, end, ends, PairScore::kSum);
    expect_same_order(start, end, ends, PairScore::kFloatProduct);
  }
}

TEST(SpanSearch, KeepsToItsRanges) {
  const std::vector<EndRange> ends = {{0, 0}, {2, 3}, {1, 4}, {3, 3}};
  expect_same_order({9, 1, 2, 9}, {9, 1, 5, 3}, ends, PairScore::kSum);
}

TEST(BoundedEnds, StopAtLengthAndAtTheLastToken) {
  const auto ends = bounded_ends(6, 1, 5, 3);
  EXPECT_EQ(ends[0].last, 0);
  EXPECT_EQ(ends[1].first, 1);
  EXPECT_EQ(ends[1].last, 4);
  EXPECT_EQ(ends[4].last, 5);
  EXPECT_EQ(ends[5].last, 0);
}

}  // namespace
}  // namespace spanforge
