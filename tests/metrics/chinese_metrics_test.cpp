#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "spanforge/base/utf8.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/python_text.h"
#include "spanforge/metrics/word_f1.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using Words = std::vector<std::string>;

double number(const Metric& metric, const std::vector<SquadItem>& items, std::string_view key) {
  return find_number(score_items(metric, items), key).value();
}

TEST(PythonText, SplitsAtEveryPythonSpace) {
  EXPECT_EQ(python_split("\x1c a\u3000b\u0085\nc\u200bd "), (Words{"a", "b", "c\u200bd"}));
  EXPECT_EQ(python_strip("\u2003x y\u2029"), "x y");
  EXPECT_EQ(python_strip(" \t"), "");
}

TEST(PythonText, LowersFinalSigmaByContext) { EXPECT_EQ(python_lower("ΣΑΣ Σ"), "σας σ"); }

TEST(Cmrc, RemovesItsPunctuationAndNoOther) {
  EXPECT_EQ(cmrc_remove_punctuation(" 《Abc》-12，3. "), "abc123.");
}

TEST(Cmrc, TokensAreChineseCharactersAndRuns) {
  EXPECT_EQ(cmrc_tokens("于2010年iPhone 4-S发布"),
            (Words{"于", "2010", "年", "iphone", "4s", "发", "布"}));
}

TEST(Cmrc, F1ComesFromTheLongestRunWithoutGap) {
  EXPECT_DOUBLE_EQ(cmrc_f1("风景优美空", "空派蒙"), 2 * (1.0 / 3 * 1.0 / 5) / (1.0 / 3 + 1.0 / 5));
  EXPECT_DOUBLE_EQ(cmrc_f1("甲乙丙丁", "甲乙丁丙"), 0.5);
  EXPECT_EQ(cmrc_f1("甲", "乙"), 0.0);
}

TEST(Cmrc, SkippedQuestionsCountNothing) {
  const MetricValues scores =
      score_items(kCmrc2018, {{"1", {"甲乙"}, "甲乙。", 0, true}, {"2", {"甲"}, "", 0, false}});
  EXPECT_EQ(find_number(scores, "cmrc_exact"), 50.0);
  EXPECT_EQ(find_number(scores, "cmrc_f1"), 50.0);
  EXPECT_EQ(find_number(scores, "cmrc_average"), 50.0);
  EXPECT_EQ(find_number(scores, "cmrc_skipped"), 1);
}

TEST(Cmrc, QuestionWithoutGoldIsRightWhenNothingIsSaid) {
  EXPECT_EQ(number(kCmrc2018, {{"1", {}, "。", 0, true}}, "cmrc_average"), 100.0);
  EXPECT_EQ(number(kCmrc2018, {{"1", {}, "甲", 0, true}}, "cmrc_average"), 0.0);
}

TEST(WordF1, RecipesWorkedExample) {
  WordMatcher matcher;
  const WordMatch match = matcher.match("空派蒙", "风景优美空");
  EXPECT_EQ(match.prediction_words, (Words{"风景", "优美", "空"}));
  EXPECT_EQ(match.gold_words, (Words{"空", "派蒙"}));
  EXPECT_EQ(match.matched, (Words{"空"}));
  EXPECT_DOUBLE_EQ(match.precision, 1.0 / 3);
  EXPECT_DOUBLE_EQ(match.recall, 0.5);
  EXPECT_DOUBLE_EQ(match.f1, 0.4);
}

TEST(WordF1, IsSymmetricButForPrecisionAndRecall) {
  WordMatcher matcher;
  const WordMatch a = matcher.match("空派蒙", "风景优美空"),
                  b = matcher.match("风景优美空", "空派蒙");
  EXPECT_EQ(a.f1, b.f1);
  EXPECT_EQ(a.precision, b.recall);
}

TEST(WordF1, EqualTextsMatchWhollyAndPunctuationDoesNotCount) {
  WordMatcher matcher;
  for (const char* text : {"空派蒙", "小艾咪正在钓鱼", "The Quick brown fox", "3.5% of them"}) {
    EXPECT_EQ(matcher.match(text, std::string(text) + "。").f1, 1.0) << text;
  }
}

TEST(WordF1, NothingAgainstNothingIsRight) {
  WordMatcher matcher;
  EXPECT_EQ(matcher.match("the", "。").f1, 1.0);
  EXPECT_EQ(matcher.match("", "x").f1, 0.0);
  EXPECT_EQ(matcher.best_match({}, "").f1, 1.0);
}

TEST(WordF1, BestGoldDecides) {
  EXPECT_EQ(number(kWordF1, {{"1", {"钓鱼", "正在钓鱼"}, "正在钓鱼", 0, true}}, "word_f1"), 100.0);
}

// Compares F1 from the longest common run with its slow definition.
TEST(Cmrc, EqualsPlainSearchOnRandomTexts) {
  std::mt19937_64 random(testing::test_seed());
  const std::vector<std::string> alphabet = {"甲", "乙", "x", " ", "，", "1"};
  const auto text = [&] {
    std::string out;
    for (size_t i = random() % 12; i > 0; --i) out += alphabet[random() % alphabet.size()];
    return out;
  };
  for (int round = 0; round < 500; ++round) {
    const std::string gold = text(), prediction = text();
    const Words a = cmrc_tokens(gold), b = cmrc_tokens(prediction);
    size_t longest = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t j = 0; j < b.size(); ++j) {
        size_t n = 0;
        while (i + n < a.size() && j + n < b.size() && a[i + n] == b[j + n]) ++n;
        longest = std::max(longest, n);
      }
    }
    const double expected = longest == 0 ? 0.0
                                         : 2.0 * static_cast<double>(longest) /
                                               static_cast<double>(a.size() + b.size());
    EXPECT_NEAR(cmrc_f1(gold, prediction), expected, 1e-12) << gold << " | " << prediction;
  }
}

}  // namespace
}  // namespace spanforge
