#include "spanforge/evaluation/calibrate.h"

#include <random>

#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::Asked;
using testing::Fixture;

// Questions whose answer is one of six words. The model votes for a word that is right with the
// probability that its logits claim at temperature 1; the logits are then multiplied by
// `sharpness`.
Fixture claims(float sharpness, size_t questions, double right_share) {
  std::mt19937_64 random(testing::test_seed());
  std::vector<Asked> asked;
  const std::vector<std::string> words = {"ana", "ben", "carl", "dora", "emil", "fay"};
  std::vector<int32_t> voted;
  for (size_t i = 0; i < questions; ++i) {
    std::string context;
    for (const std::string& word : words) context += word + " ";
    const auto vote = static_cast<int32_t>(random() % words.size());
    const bool right = std::uniform_real_distribution<double>()(random) < right_share;
    const std::string gold = words[static_cast<size_t>(right ? vote : (vote + 1) % 6)];
    asked.push_back({"q" + std::to_string(i),
                     "who",
                     context,
                     {{gold, static_cast<int64_t>(context.find(gold))}}});
    voted.push_back(vote);
  }
  Fixture f = testing::make_fixture(asked);
  for (size_t i = 0; i < questions; ++i) testing::vote(f, i, voted[i], voted[i], sharpness);
  return f;
}

double score_at(const Fixture& f, double temperature) {
  DecoderOptions options;
  options.max_answer_length = 1;
  options.temperature = temperature;
  return decode_example(f.dataset, f.features, f.predictions.logits, 0, options).prediction.score;
}

TEST(FitTemperature, MakesTheScoreTheShareOfRightAnswers) {
  DecoderOptions options;
  options.max_answer_length = 1;
  for (float sharpness : {2.0f, 5.0f}) {
    const Fixture f = claims(sharpness, 400, 0.7);
    const double temperature =
        fit_temperature(f.dataset, f.features, f.predictions.logits, options);
    EXPECT_NEAR(score_at(f, temperature), 0.7, 0.08) << "sharpness " << sharpness;
  }
}

TEST(FitTemperature, IsOneWhereNothingCanBeTold) {
  DecoderOptions options;
  for (double share : {0.0, 1.0}) {
    const Fixture f = claims(5.0f, 20, share);
    EXPECT_EQ(fit_temperature(f.dataset, f.features, f.predictions.logits, options), 1.0);
  }
}

}  // namespace
}  // namespace spanforge
