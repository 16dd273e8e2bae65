#include "spanforge/metrics/squad.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace spanforge {
namespace {

SquadItem item(std::string id, std::vector<std::string> golds, std::string prediction,
               double probability = 0.0) {
  return {std::move(id), std::move(golds), std::move(prediction), probability, true};
}

struct Scores {
  MetricValues values;
  double operator[](std::string_view key) const { return find_number(values, key).value(); }
  bool has(std::string_view key) const { return find_number(values, key).has_value(); }
};

Scores squad_v2(const std::vector<SquadItem>& items, double no_answer_threshold = 1.0,
                const std::vector<size_t>& tie_order = {}) {
  return {score_items(kSquadV2, items, no_answer_threshold, tie_order)};
}

TEST(SquadNormalize, LowersStripsAsciiPunctuationArticlesAndSpace) {
  EXPECT_EQ(squad_normalize("  The quick,  brown-FOX. "), "quick brownfox");
  EXPECT_EQ(squad_normalize("a an the"), "");
  EXPECT_EQ(squad_normalize("the-end"), "theend");
  EXPECT_EQ(squad_normalize("an\u00A0apple"), "apple");
}

TEST(SquadNormalize, KeepsFullWidthPunctuation) {
  EXPECT_EQ(squad_normalize("《红楼梦》。"), "《红楼梦》。");
}

TEST(SquadNormalize, ArticleNeedsWordBoundariesOnBothSides) {
  EXPECT_EQ(squad_normalize("athens"), "athens");
  EXPECT_EQ(squad_normalize("the中"), "the中");  // 中 is a word character
  EXPECT_EQ(squad_normalize("中a"), "中a");
  EXPECT_EQ(squad_normalize("“the”"), "“ ”");
  EXPECT_EQ(squad_normalize("aa a"), "aa");
}

TEST(SquadNormalize, LowersAsPythonDoes) {
  EXPECT_EQ(squad_normalize("ΟΔΟΣ"), "οδος");
  EXPECT_EQ(squad_normalize("İ"), "i̇");
  EXPECT_EQ(squad_normalize("ẞ"), "ß");
}

TEST(SquadF1, CountsSharedTokensWithRepeats) {
  EXPECT_DOUBLE_EQ(squad_f1("x y y", "y y y z"), 2 * (0.5 * (2.0 / 3)) / (0.5 + 2.0 / 3));
  EXPECT_EQ(squad_f1("x", "y"), 0.0);
}

TEST(SquadF1, EmptySideIsRightOnlyWhenBothAreEmpty) {
  EXPECT_EQ(squad_f1("the", ""), 1.0);
  EXPECT_EQ(squad_f1("", "x"), 0.0);
  EXPECT_EQ(squad_f1("x", "a"), 0.0);
}

TEST(SquadF1, ChineseWithoutSpacesIsOneToken) { EXPECT_EQ(squad_f1("风景优美空", "空派蒙"), 0.0); }

TEST(SquadItemScore, TakesTheBestGoldAndSkipsGoldsOfNothing) {
  EXPECT_TRUE(squad_item_score(item("1", {"the", "Paris"}, "paris!")).exact);
  EXPECT_FALSE(squad_item_score(item("1", {"the", "Paris"}, "")).exact);
  EXPECT_TRUE(squad_item_score(item("1", {"the"}, "")).exact);  // no gold left: "" is right
}

TEST(SquadV2, PartsAppearOnlyWhereSuchQuestionsExist) {
  const Scores scores = squad_v2({item("1", {"x"}, "x")});
  EXPECT_TRUE(scores.has("HasAns_exact"));
  EXPECT_FALSE(scores.has("NoAns_exact"));
  EXPECT_EQ(scores["exact"], 100.0);
  EXPECT_EQ(scores["total"], 1);
}

TEST(SquadV2, ProbabilityAboveThresholdCountsAsNoAnswer) {
  const std::vector<SquadItem> items = {item("1", {"x"}, "x", 1.5), item("2", {}, "y", 1.5)};
  EXPECT_EQ(squad_v2(items)["exact"], 50.0);       // the first is wrong, the second right
  EXPECT_EQ(squad_v2(items, 2.0)["exact"], 50.0);  // the reverse
  EXPECT_EQ(squad_v2(items, 1.0)["HasAns_exact"], 0.0);
  EXPECT_EQ(squad_v2(items, 2.0)["HasAns_exact"], 100.0);
}

TEST(SquadV2, BestThresholdWalksAscendingProbability) {
  // Right below .5, wrong above: the best threshold keeps the first two.
  const Scores scores = squad_v2({item("1", {"x"}, "x", 0.1), item("2", {"x"}, "x", 0.5),
                                  item("3", {}, "y", 0.7), item("4", {}, "y", 0.9)});
  EXPECT_EQ(scores["best_exact"], 100.0);
  EXPECT_EQ(scores["best_exact_thresh"], 0.5);
}

TEST(SquadV2, TiesAreNotGroupedSoTheirOrderDecides) {
  const std::vector<SquadItem> items = {item("1", {}, "y", 0.5), item("2", {"x"}, "x", 0.5)};
  EXPECT_EQ(squad_v2(items)["best_exact"], 50.0);
  const std::vector<size_t> order = {1, 0};
  EXPECT_EQ(squad_v2(items, 1.0, order)["best_exact"], 100.0);
}

TEST(SquadV2, QuestionWithoutPredictionScoresNothing) {
  SquadItem absent = item("1", {}, "");
  absent.answered = false;
  const Scores scores = squad_v2({absent, item("2", {}, "")});
  EXPECT_EQ(scores["exact"], 50.0);
  EXPECT_EQ(scores["total"], 2);
}

TEST(SquadV2, NoItemsGiveZeros) {
  const Scores scores = squad_v2({});
  EXPECT_EQ(scores["total"], 0);
  EXPECT_FALSE(scores.has("best_exact"));
}

// Answers of up to 64 tokens and longer ones are counted by different code.
TEST(SquadF1, CountsCommonTokensAtAnyLength) {
  for (const int length : {1, 3, 63, 64, 65, 130}) {
    SCOPED_TRACE(length);
    std::string gold, prediction = "x x ";
    for (int i = 0; i < length; ++i) gold += i % 2 == 0 ? "x " : "y ";
    for (int i = 0; i < length; ++i) prediction += "y ";
    const int x = std::min(2, (length + 1) / 2), y = length / 2;
    const double same = x + y, precision = same / (length + 2), recall = same / length;
    EXPECT_DOUBLE_EQ(squad_f1(gold, prediction), 2 * precision * recall / (precision + recall));
  }
}

}  // namespace
}  // namespace spanforge
