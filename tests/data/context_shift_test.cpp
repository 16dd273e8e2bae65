#include "spanforge/data/context_shift.h"

#include <algorithm>

#include "support/testing.h"

namespace spanforge {
namespace {

struct ShiftCase {
  std::string name;
  std::vector<std::pair<int64_t, int64_t>> sure;  // stated, shift
  int64_t stated;
  int64_t shift;  // 0: there is no proof
  int64_t before = 0, behind = 0;
};

TEST(ContextShift, IsProvedByTheNearestOnBothSidesOrByAllOnOneSide) {
  const std::vector<ShiftCase> cases = {
      {"both sides", {{10, 2}, {30, 2}}, 20, 2, 1, 1},
      {"both sides, others farther away", {{5, 0}, {10, 2}, {30, 2}, {40, 7}}, 20, 2, 1, 1},
      {"all that share it are counted", {{5, 2}, {10, 2}, {30, 2}, {40, 2}, {50, 0}}, 20, 2, 2, 2},
      {"negative", {{10, -3}, {30, -3}}, 20, -3, 1, 1},
      {"sides that differ", {{10, 2}, {30, 3}}, 20, 0},
      {"one side is right", {{10, 0}, {30, 2}}, 20, 0},
      {"both are right", {{10, 0}, {30, 0}}, 20, 0},
      {"before only", {{5, 2}, {10, 2}}, 20, 2, 2, 0},
      {"behind only", {{25, 2}, {30, 2}}, 20, 2, 0, 2},
      {"before only, one", {{10, 2}}, 20, 0},
      {"before only, one start twice", {{10, 2}, {10, 2}}, 20, 0},
      {"before only, not all", {{5, 0}, {8, 2}, {10, 2}}, 20, 0},
      {"the same start with the shift", {{10, 2}, {20, 2}, {30, 2}}, 20, 2, 1, 1},
      {"the same start with another", {{10, 2}, {20, 3}, {30, 2}}, 20, 0},
      {"the same start alone", {{20, 2}, {20, 2}}, 20, 0},
      {"the nearest disagree among themselves", {{10, 2}, {10, 3}, {30, 2}}, 20, 0},
      {"none", {}, 20, 0},
  };
  for (const ShiftCase& item : cases) {
    SCOPED_TRACE(item.name);
    std::vector<SureAnswer> sure;
    std::vector<std::string> ids;
    for (const auto& [stated, shift] : item.sure) ids.push_back("at " + std::to_string(stated));
    for (size_t i = 0; i < ids.size(); ++i) {
      sure.push_back({item.sure[i].first, item.sure[i].second, {}, ids[i]});
    }
    std::ranges::reverse(sure);  // in any order
    const auto proof = ContextShift(sure).prove(item.stated, {});
    ASSERT_EQ(proof.has_value(), item.shift != 0);
    if (!proof) continue;
    EXPECT_EQ(proof->shift, item.shift);
    EXPECT_EQ(proof->before, item.before);
    EXPECT_EQ(proof->behind, item.behind);
    EXPECT_EQ(proof->id_before.empty(), item.before == 0);
    EXPECT_EQ(proof->id_behind.empty(), item.behind == 0);
    if (item.before > 0 && item.behind > 0) {
      EXPECT_EQ(proof->id_before, "at 10");
      EXPECT_EQ(proof->id_behind, "at 30");
    }
    EXPECT_NE(describe(*proof, 3).find(proof->shift > 0 ? "off by -" : "off by +"),
              std::string::npos);
  }
}

// Starts counted in UTF-16 units after one emoji look like a shift of -1, until the next emoji.
TEST(ContextShift, IsNotProvedIfAWayOfCountingGivesAnotherPlace) {
  const std::vector<Counting> utf16 = {Counting::kUtf16}, off = {Counting::kOffByOne};
  const auto sure = [](const std::vector<Counting>& countings) {
    return std::vector<SureAnswer>{{10, -1, countings, "a"}, {20, -1, countings, "b"}};
  };
  EXPECT_FALSE(ContextShift(sure(utf16)).prove(30, {}));
  EXPECT_FALSE(ContextShift(sure(utf16)).prove(30, {{Counting::kUtf16, {27, 28}}}));
  EXPECT_TRUE(ContextShift(sure(utf16)).prove(30, {{Counting::kUtf16, {29, 30}}}));
  EXPECT_TRUE(ContextShift(sure(off)).prove(30, {}));
  // If it explains both sides, there is no emoji in between.
  EXPECT_TRUE(ContextShift(sure(utf16)).prove(15, {}));
}

}  // namespace
}  // namespace spanforge
