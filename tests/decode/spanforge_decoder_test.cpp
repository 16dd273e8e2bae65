#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "decode/synthetic.h"
#include "spanforge/decode/decoders.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_example;
using testing::SyntheticExample;

// For every pair of words, the odds stated by the window that has most text around it; plain loops.
std::map<std::pair<int, int>, double> odds_by_definition(const SyntheticExample& example,
                                                         int longest, double temperature) {
  std::map<std::pair<int, int>, double> odds;
  std::map<std::pair<int, int>, int> shown;
  int begin = 0;
  for (size_t w = 0; w < example.windows.size(); ++w) {
    const auto& window = example.windows[w];
    const int size = window.context.size();
    for (int i = 0; i < size; ++i) {
      for (int j = i; j < size && j < i + longest; ++j) {
        const int left = w == 0 ? 1 << 30 : i;
        const int right = w + 1 == example.windows.size() ? 1 << 30 : size - 1 - j;
        const std::pair<int, int> key{begin + i, begin + j};
        const auto known = shown.find(key);
        if (known != shown.end() && known->second >= std::min(left, right)) continue;
        shown[key] = std::min(left, right);
        const auto s = static_cast<size_t>(window.context.start + i);
        const auto e = static_cast<size_t>(window.context.start + j);
        odds[key] = (static_cast<double>(window.start[s]) + window.end[e] - window.start[0] -
                     window.end[0]) /
                    temperature;
      }
    }
    begin += size - example.overlap;
  }
  return odds;
}

DecoderOptions options_of(int32_t top_k) {
  DecoderOptions options;
  options.top_k = top_k;
  options.max_answer_length = 7;
  return options;
}

TEST(SpanforgeDecoder, ScoreIsTheJointProbabilityOverAllWindows) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 80; ++round) {
    const auto room = 8 + static_cast<int32_t>(random() % 12);
    const auto overlap = static_cast<int32_t>(random() % static_cast<uint64_t>(room));
    const SyntheticExample example =
        make_example(random, 1 + static_cast<int32_t>(random() % 50), room, overlap);
    DecoderOptions options = options_of(3);
    options.temperature = round % 2 == 0 ? 1.0 : 1.7;
    double total = 1.0, best = 0.0;
    for (const auto& [pair, odds] : odds_by_definition(example, 7, options.temperature)) {
      total += std::exp(odds);
      best = std::max(best, std::exp(odds));
    }
    const DecodedExample decoded = decode_spanforge(example.view(), options);
    EXPECT_NEAR(decoded.prediction.score, best / total, 1e-9)
        << "room " << room << " overlap " << overlap;
    EXPECT_NEAR(decoded.null_odds, -std::log(best), 1e-9);
    options.null_answers = true;
    options.top_k = 1000;
    const DecodedExample all = decode_spanforge(example.view(), options);
    const auto null = std::find_if(all.candidates.begin(), all.candidates.end(),
                                   [](const Candidate& c) { return c.text.empty(); });
    ASSERT_NE(null, all.candidates.end());
    EXPECT_NEAR(null->score, 1.0 / total, 1e-9);
  }
}

TEST(SpanforgeDecoder, AnswersNeitherOverlapNorRepeat) {
  std::mt19937_64 random(testing::test_seed());
  const SyntheticExample example = make_example(random, 60, 25, 9);
  const DecodedExample decoded = decode_spanforge(example.view(), options_of(8));
  ASSERT_EQ(decoded.candidates.size(), 8u);
  double sum = 0;
  for (size_t i = 0; i < decoded.candidates.size(); ++i) {
    const Candidate& a = decoded.candidates[i];
    sum += a.score;
    for (size_t j = 0; j < i; ++j) {
      const Candidate& b = decoded.candidates[j];
      EXPECT_TRUE(a.span.end <= b.span.start || b.span.end <= a.span.start);
      EXPECT_LE(a.score, b.score);
    }
  }
  EXPECT_LE(sum, 1.0);
}

TEST(SpanforgeDecoder, SameTextElsewhereIsLeftOut) {
  std::mt19937_64 random(3);
  SyntheticExample example = make_example(random, 3, 20, 5);
  example.context = "Bo Al bo";
  auto& window = example.windows.front();
  std::fill(window.start.begin(), window.start.end(), 0.0f);
  std::fill(window.end.begin(), window.end.end(), -9.0f);
  window.start[0] = window.end[0] = -20;
  for (size_t t : {4, 5, 6}) window.end[t] = t == 4 ? 3.5f : 3.0f;
  for (size_t t : {4, 5, 6}) window.start[t] = t == 4 ? 3.5f : 3.0f;
  DecoderOptions options = options_of(3);
  options.max_answer_length = 1;
  const DecodedExample decoded = decode_spanforge(example.view(), options);
  const double total = std::exp(7.0) + 2 * std::exp(6.0);
  ASSERT_EQ(decoded.candidates.size(), 2u);
  EXPECT_EQ(decoded.candidates[0].text, "Bo");
  EXPECT_NEAR(decoded.candidates[0].score, std::exp(7.0) / total, 1e-9) << "nothing is added";
  EXPECT_EQ(decoded.candidates[1].text, "Al");
}

TEST(SpanforgeDecoder, AskingForMoreDoesNotChangeTheFirst) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 20; ++round) {
    const SyntheticExample example = make_example(random, 80, 30, 10, 2);
    const Candidate one = decode_spanforge(example.view(), options_of(1)).prediction;
    const Candidate many = decode_spanforge(example.view(), options_of(20)).prediction;
    EXPECT_EQ(one.text, many.text);
    EXPECT_EQ(one.score, many.score);
  }
}

TEST(SpanforgeDecoder, ThresholdDecidesBetweenAnswerAndNone) {
  std::mt19937_64 random(testing::test_seed());
  const SyntheticExample example = make_example(random, 20, 30, 10);
  DecoderOptions options = options_of(2);
  options.null_answers = true;
  const double odds = decode_spanforge(example.view(), options).null_odds;
  options.null_threshold = odds - 0.01;
  EXPECT_EQ(decode_spanforge(example.view(), options).prediction.text, "");
  options.null_threshold = odds + 0.01;
  EXPECT_NE(decode_spanforge(example.view(), options).prediction.text, "");
  options.null_answers = false;
  options.null_threshold = odds - 0.01;
  EXPECT_NE(decode_spanforge(example.view(), options).prediction.text, "");
}

TEST(SpanforgeDecoder, ContextWithoutTokensHasNoAnswer) {
  std::mt19937_64 random(1);
  SyntheticExample example = make_example(random, 1, 20, 5);
  example.windows.front().context = {4, 4};
  const DecodedExample decoded = decode_spanforge(example.view(), options_of(1));
  EXPECT_EQ(decoded.prediction.text, "");
  EXPECT_EQ(decoded.prediction.score, 1.0);
  EXPECT_EQ(decoded.null_odds, kNoSpanOdds);
}

TEST(SpanforgeDecoder, LargeLogitsStayFinite) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 20, 30, 10);
  for (float& x : example.windows.front().start) x *= 1000;
  for (float& x : example.windows.front().end) x *= 1000;
  const DecodedExample decoded = decode_spanforge(example.view(), options_of(1));
  EXPECT_TRUE(std::isfinite(decoded.prediction.score));
  EXPECT_TRUE(std::isfinite(decoded.null_odds));
}

}  // namespace
}  // namespace spanforge
