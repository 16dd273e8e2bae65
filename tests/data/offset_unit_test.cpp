#include "spanforge/data/offset_unit.h"

#include <array>

#include "support/testing.h"

namespace spanforge {
namespace {

constexpr std::array kAll = {OffsetUnit::kCodePoints, OffsetUnit::kUtf16, OffsetUnit::kGraphemes};

TEST(UnitIndex, FindsTheCodePointOfAnOffset) {
  // Code points: 0 a, 1 😀, 2 e, 3 U+0301, 4 \r, 5 \n, 6 b.
  const std::string text = "a😀e\u0301\r\nb";
  const UnitIndex index(text);
  const auto all = [&](OffsetUnit unit) {
    std::vector<int64_t> at;
    for (int64_t offset = 0; offset <= 9; ++offset)
      at.push_back(index.code_point(unit, offset).value_or(-1));
    return at;
  };
  EXPECT_EQ(all(OffsetUnit::kCodePoints), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, -1, -1}));
  EXPECT_EQ(all(OffsetUnit::kUtf16), (std::vector<int64_t>{0, 1, -1, 2, 3, 4, 5, 6, 7, -1}));
  EXPECT_EQ(all(OffsetUnit::kGraphemes), (std::vector<int64_t>{0, 1, 2, 4, 6, 7, -1, -1, -1, -1}));
  EXPECT_FALSE(index.code_point(OffsetUnit::kUtf16, -1).has_value());
  for (int64_t i = 0; i <= 7; ++i) {
    EXPECT_EQ(index.code_point(OffsetUnit::kUtf16, index.offset(OffsetUnit::kUtf16, i)), i);
  }
  EXPECT_TRUE(index.matters());
  EXPECT_FALSE(UnitIndex("plain é 中文\n").matters());
}

TEST(PlaceSpan, NeedsTheTextThatIsWritten) {
  const UnitIndex index("😀 Ann\nsings");
  EXPECT_EQ(place_span({2, 5, "Ann"}, index, OffsetUnit::kCodePoints), (CharSpan{2, 5}));
  EXPECT_EQ(place_span({3, 6, "Ann"}, index, OffsetUnit::kUtf16), (CharSpan{2, 5}));
  EXPECT_FALSE(place_span({3, 6, "Ann"}, index, OffsetUnit::kCodePoints).has_value());
  EXPECT_EQ(place_span({2, 11, "Ann\\nsings"}, index, OffsetUnit::kCodePoints), (CharSpan{2, 11}));
  EXPECT_EQ(place_span({2, -1, "Ann"}, index, OffsetUnit::kCodePoints), (CharSpan{2, 5}));
  EXPECT_EQ(place_span({2, 5, std::nullopt}, index, OffsetUnit::kCodePoints), (CharSpan{2, 5}));
  EXPECT_FALSE(place_span({5, 2, std::nullopt}, index, OffsetUnit::kCodePoints).has_value());
  EXPECT_FALSE(place_span({2, 99, std::nullopt}, index, OffsetUnit::kCodePoints).has_value());
}

TEST(UnitVote, FollowsTheTexts) {
  UnitVote vote(kAll);
  EXPECT_EQ(vote.winner(), OffsetUnit::kCodePoints);
  vote.count({0, 3, "Ann"}, UnitIndex("Ann sings"));
  EXPECT_FALSE(vote.mattered());
  vote.count({3, 6, "Ann"}, UnitIndex("😀 Ann sings"));
  EXPECT_TRUE(vote.mattered());
  EXPECT_EQ(vote.winner(), OffsetUnit::kUtf16);
}

// Without texts, edges decide: none may be inside a character, and most are between words.
TEST(UnitVote, FollowsTheEdgesWithoutTexts) {
  const std::string context = "👍 The pump stands in hall 3.";
  struct Row {
    int64_t start, end;
    OffsetUnit unit;
  };
  for (const Row& row : {Row{6, 10, OffsetUnit::kCodePoints}, {7, 11, OffsetUnit::kUtf16}}) {
    UnitVote vote(kAll);
    vote.count({row.start, row.end, std::nullopt}, UnitIndex(context));
    EXPECT_EQ(vote.winner(), row.unit);
  }
  const std::string family = "👨‍👩‍👧 The pump stands in hall 3.";
  UnitVote vote(std::array{OffsetUnit::kUtf16, OffsetUnit::kGraphemes});
  vote.count({6, 10, std::nullopt}, UnitIndex(family));
  EXPECT_EQ(vote.winner(), OffsetUnit::kGraphemes);
}

}  // namespace
}  // namespace spanforge
