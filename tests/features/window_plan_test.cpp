#include "spanforge/features/window_plan.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

// HF's rule, written plainly: cut, step, stop at the first window that reaches the end.
std::vector<TokenSpan> slow_windows(int32_t tokens, int32_t room, int32_t overlap) {
  if (tokens <= room) return {{0, tokens}};
  std::vector<TokenSpan> out;
  bool reached = false;
  for (int32_t start = 0; start < tokens && !reached; start += room - overlap) {
    out.push_back({start, std::min(start + room, tokens)});
    reached = out.back().end == tokens;
  }
  return out;
}

TEST(WindowPlan, CoversContextAsHfDoes) {
  int plans = 0;
  for (int32_t tokens = 0; tokens <= 40; ++tokens) {
    for (int32_t room = 1; room <= 20; ++room) {
      for (int32_t overlap = 0; overlap < room; ++overlap) {
        const WindowPlan windows{tokens, room, overlap};
        std::vector<TokenSpan> plan;
        for (int32_t i = 0; i < windows.size(); ++i) plan.push_back(windows[i]);
        ASSERT_EQ(plan, slow_windows(tokens, room, overlap))
            << tokens << " " << room << " " << overlap;
        ASSERT_EQ(plan.front().start, 0);
        ASSERT_EQ(plan.back().end, tokens);
        for (size_t i = 1; i < plan.size(); ++i) {
          ASSERT_EQ(plan[i - 1].end - plan[i].start, overlap);
        }
        ++plans;
      }
    }
  }
  EXPECT_EQ(plans, 41 * (20 * 21 / 2));
}

TEST(WindowPlan, KnowsWhetherAWindowHoldsTokens) {
  int held = 0, cut = 0;
  for (const int32_t tokens : {1, 5, 12, 30}) {
    for (int32_t room = 1; room <= 13; ++room) {
      for (int32_t overlap = 0; overlap < room; ++overlap) {
        const WindowPlan windows{tokens, room, overlap};
        const std::vector<TokenSpan> plan = slow_windows(tokens, room, overlap);
        for (int32_t first = 0; first < tokens; ++first) {
          for (int32_t last = first; last < tokens; ++last) {
            const bool expected = std::ranges::any_of(
                plan, [&](TokenSpan window) { return window.start <= first && last < window.end; });
            ASSERT_EQ(windows.holds(first, last), expected)
                << tokens << " " << room << " " << overlap << ": " << first << " to " << last;
            ++(expected ? held : cut);
          }
        }
      }
    }
  }
  EXPECT_GT(held, 1000);
  EXPECT_GT(cut, 1000);
}

}  // namespace
}  // namespace spanforge
