// Compares recipe, run_qa and pipeline with plain loops over all pairs.
#include <algorithm>
#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "decode/synthetic.h"
#include "spanforge/decode/decoders.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_example;
using testing::SyntheticExample;

DecoderOptions options_of(DecoderKind kind, int32_t top_k) {
  DecoderOptions options;
  options.kind = kind;
  options.top_k = top_k;
  return options;
}

std::vector<double> log_softmax(const std::vector<float>& logits) {
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x));
  std::vector<double> out;
  for (float x : logits) out.push_back(x - std::log(sum));
  return out;
}

TEST(Recipe, EqualsTheDefinitionOverAllWindows) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 60; ++round) {
    const SyntheticExample example =
        make_example(random, 3 + static_cast<int32_t>(random() % 40), 17, 5);
    std::vector<double> scores;
    for (const auto& window : example.windows) {
      const std::vector<double> start = log_softmax(window.start), end = log_softmax(window.end);
      const auto tokens = static_cast<int>(start.size());
      for (int s = 0; s < tokens; ++s) {
        for (int e = s; e < tokens && e < s + static_cast<int>(tokens * 0.4); ++e) {
          scores.push_back(std::exp(start[static_cast<size_t>(s)] + end[static_cast<size_t>(e)]));
        }
      }
    }
    std::sort(scores.rbegin(), scores.rend());
    const DecodedExample decoded =
        decode_recipe(example.view(), options_of(DecoderKind::kRecipe, 10));
    ASSERT_EQ(decoded.candidates.size(), std::min<size_t>(10, scores.size()));
    for (size_t k = 0; k < decoded.candidates.size(); ++k) {
      EXPECT_NEAR(decoded.candidates[k].score, scores[k], 1e-12 * scores[k]);
    }
    EXPECT_EQ(decoded.prediction.text, decoded.candidates.front().text);
  }
}

TEST(Recipe, TextIsPythonsSliceAlsoOutsideTheContext) {
  std::mt19937_64 random(1);
  SyntheticExample example = make_example(random, 4, 17, 5);
  auto& window = example.windows.front();
  std::fill(window.start.begin(), window.start.end(), 0.0f);
  std::fill(window.end.begin(), window.end.end(), 0.0f);
  window.start[2] = 9;  // second question token, offsets (2, 3)
  window.end[4] = 9;    // first word, offsets (0, 2)
  const DecodedExample decoded = decode_recipe(example.view(), options_of(DecoderKind::kRecipe, 1));
  EXPECT_EQ(decoded.prediction.start_token, 2);
  EXPECT_EQ(decoded.prediction.end_token, 4);
  EXPECT_EQ(decoded.prediction.text, "");  // context[2:2]
}

TEST(Recipe, TiesKeepGenerationOrder) {
  std::mt19937_64 random(1);
  SyntheticExample example = make_example(random, 4, 17, 5);
  auto& window = example.windows.front();
  std::fill(window.start.begin(), window.start.end(), 0.0f);
  std::fill(window.end.begin(), window.end.end(), 0.0f);
  const DecodedExample decoded = decode_recipe(example.view(), options_of(DecoderKind::kRecipe, 5));
  // 9 tokens: a start has int(9 * 0.4) = 3 ends.
  const std::vector<std::pair<int, int>> expected = {{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}};
  ASSERT_EQ(decoded.candidates.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(decoded.candidates[k].start_token, expected[k].first);
    EXPECT_EQ(decoded.candidates[k].end_token, expected[k].second);
  }
}

TEST(RunQa, LooksOnlyAtTheBestStartsAndEnds) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 30, 40, 5);
  DecoderOptions options = options_of(DecoderKind::kRunQa, 1);
  options.n_best_size = 1;
  auto& window = example.windows.front();
  window.start[1] = 50;  // the best start is a question token: no pair is left
  const DecodedExample decoded = decode_run_qa(example.view(), options);
  EXPECT_EQ(decoded.prediction.text, "empty");
  EXPECT_EQ(decoded.candidates.front().score, 1.0);
}

TEST(RunQa, TheLongestAnswerHasTheTokensAllowed) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 4, 17, 5);
  DecoderOptions options = options_of(DecoderKind::kRunQa, 1);
  options.max_answer_length = 3;
  auto& window = example.windows.front();
  std::fill(window.start.begin(), window.start.end(), 0.0f);
  std::fill(window.end.begin(), window.end.end(), 0.0f);
  window.start[4] = 50;  // the first of four context tokens
  window.end[7] = 50;    // one token too far
  window.end[6] = 40;
  const DecodedExample decoded = decode_run_qa(example.view(), options);
  EXPECT_EQ(decoded.prediction.start_token, 4);
  EXPECT_EQ(decoded.prediction.end_token, 6);
}

TEST(RunQa, NullIsTheSmallestOfTheWindowsAndIsPutBack) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 60, 20, 5);
  float smallest = 1e9f;
  for (size_t w = 0; w < example.windows.size(); ++w) {
    example.windows[w].start[0] = -20.0f - static_cast<float>(w);
    example.windows[w].end[0] = -1;
    smallest = std::min(smallest, example.windows[w].start[0] + example.windows[w].end[0]);
  }
  DecoderOptions options = options_of(DecoderKind::kRunQa, 1);
  options.null_answers = true;
  options.n_best_size = 5;
  const DecodedExample decoded = decode_run_qa(example.view(), options);
  ASSERT_EQ(decoded.candidates.size(), 6u);
  EXPECT_EQ(decoded.candidates.back().text, "");
  EXPECT_EQ(decoded.candidates.back().start_logit + decoded.candidates.back().end_logit, smallest);
  const Candidate& best = decoded.candidates.front();
  EXPECT_FLOAT_EQ(static_cast<float>(decoded.null_odds),
                  smallest - best.start_logit - best.end_logit);
  options.null_threshold = decoded.null_odds - 1;
  EXPECT_EQ(decode_run_qa(example.view(), options).prediction.text, "");
  options.null_threshold = decoded.null_odds;  // not above: an answer
  EXPECT_EQ(decode_run_qa(example.view(), options).prediction.text, best.text);
}

TEST(RunQa, ProbabilitiesSumToOne) {
  std::mt19937_64 random(testing::test_seed());
  const SyntheticExample example = make_example(random, 60, 20, 5);
  const DecodedExample decoded = decode_run_qa(example.view(), options_of(DecoderKind::kRunQa, 1));
  double sum = 0;
  for (const Candidate& candidate : decoded.candidates) sum += candidate.score;
  EXPECT_EQ(decoded.candidates.size(), 20u);
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST(PipelineDecoder, SumsEqualTextsOfOverlappingWindows) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 30, 20, 10);
  ASSERT_EQ(example.windows.size(), 2u);
  // Both windows are sure of word 12: the sum of the scores exceeds 1.
  for (auto& window : example.windows) {
    for (size_t t = 0; t < window.offsets.size(); ++t) {
      const bool answer = window.input_ids[t] == 1012;
      window.start[t] = window.end[t] = answer ? 20.0f : 0.0f;
    }
  }
  const DecodedExample decoded =
      decode_pipeline(example.view(), options_of(DecoderKind::kPipeline, 1));
  EXPECT_EQ(decoded.prediction.text, "w12");
  EXPECT_GT(decoded.prediction.score, 1.5);
}

TEST(PipelineDecoder, AlignsToWordsAndFallsBackToOffsets) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 4, 20, 5);
  auto& window = example.windows.front();
  std::fill(window.start.begin(), window.start.end(), 0.0f);
  std::fill(window.end.begin(), window.end.end(), 0.0f);
  window.word_ids[5] = window.word_ids[4];  // w0 and w1 are one word now
  window.start[5] = window.end[5] = 20;
  DecoderOptions options = options_of(DecoderKind::kPipeline, 1);
  EXPECT_EQ(decode_pipeline(example.view(), options).prediction.text, "w0 w1");
  options.align_to_words = false;
  EXPECT_EQ(decode_pipeline(example.view(), options).prediction.text, "w1");
  options.align_to_words = true;
  window.word_ids[5] = -1;  // a token that belongs to no word
  EXPECT_EQ(decode_pipeline(example.view(), options).prediction.text, "w1");
}

TEST(PipelineDecoder, AContextWithoutTokensHasTheEmptyAnswerOfScoreZero) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 1, 20, 5);
  SyntheticExample::Window& window = example.windows.front();
  window.context = {4, 4};
  for (auto* row : {&window.start, &window.end}) row->erase(row->begin() + 4);
  window.offsets.erase(window.offsets.begin() + 4);
  window.word_ids.erase(window.word_ids.begin() + 4);
  window.input_ids.erase(window.input_ids.begin() + 4);
  const DecodedExample decoded =
      decode_pipeline(example.view(), options_of(DecoderKind::kPipeline, 3));
  ASSERT_EQ(decoded.candidates.size(), 1u);
  EXPECT_EQ(decoded.prediction.text, "");
  EXPECT_EQ(decoded.prediction.score, 0.0);
  EXPECT_EQ(decoded.prediction.span, (CharSpan{0, 0}));
}

TEST(PipelineDecoder, NullCompetesOnlyWhenAsked) {
  std::mt19937_64 random(testing::test_seed());
  SyntheticExample example = make_example(random, 4, 20, 5);
  example.windows.front().start[0] = example.windows.front().end[0] = 30;
  DecoderOptions options = options_of(DecoderKind::kPipeline, 1);
  EXPECT_NE(decode_pipeline(example.view(), options).prediction.text, "");
  options.null_answers = true;
  const DecodedExample decoded = decode_pipeline(example.view(), options);
  EXPECT_EQ(decoded.prediction.text, "");
  EXPECT_NEAR(decoded.prediction.score, 1.0, 1e-6);
  EXPECT_GT(decoded.null_odds, 0);
}

}  // namespace
}  // namespace spanforge
