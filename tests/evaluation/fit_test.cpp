// The temperature and the no-answer threshold that an evaluation chooses.
#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/evaluation/calibrate.h"

namespace spanforge {
namespace {

using testing::Asked;
using testing::evaluate_logits;
using testing::Fixture;
using testing::vote;

// Six questions. For the first four, the model finds the answer but rates it lower than "". The
// last two have no answer, and it rates "" even higher.
Fixture shy_model() {
  std::vector<Asked> asked;
  for (int i = 0; i < 6; ++i) {
    const std::string name = "name" + std::to_string(i);
    asked.push_back({"q" + std::to_string(i), "who", name + " went home with ben today",
                     i < 4 ? std::vector<Answer>{{name, 0}} : std::vector<Answer>{}});
  }
  Fixture f = testing::make_fixture(asked);
  for (size_t i = 0; i < 6; ++i) {
    vote(f, i, i == 3 ? 1 : 0, i == 3 ? 1 : 0, 5.0f);  // the fourth is wrong under any settings
    vote(f, i, -1, -1, i < 4 ? 6.0f + 0.1f * static_cast<float>(i) : 9.0f);
  }
  return f;
}

AnswerSettings settings_with_null() {
  AnswerSettings settings;
  settings.windows = {64, 8};
  settings.decoder.null_answers = true;
  return settings;
}

AnswerSettings fit(const Fixture& f, AnswerSettings settings) {
  EvaluationOptions options;
  options.decoder = settings.decoder;
  options.fit = true;
  const Evaluation e = evaluate_logits(f, options);
  settings.decoder.temperature = e.temperature;
  settings.decoder.null_threshold = e.null_threshold;
  return settings;
}

double exact_under(const Fixture& f, const AnswerSettings& settings) {
  EvaluationOptions options;
  options.decoder = settings.decoder;
  return evaluate_logits(f, options).number("exact");
}

TEST(FitSettings, ChoosesTheTemperatureThenTheThresholdUnderIt) {
  const Fixture f = shy_model();
  AnswerSettings given = settings_with_null();
  given.decoder.temperature = 3.0;  // of an earlier evaluation: ignored
  given.decoder.null_threshold = -7.0;
  const AnswerSettings fitted = fit(f, given);

  AnswerSettings untouched = settings_with_null();
  EXPECT_EQ(fitted.decoder.temperature,
            fit_temperature(f.dataset, f.features, f.predictions.logits, untouched.decoder));
  EXPECT_NE(fitted.decoder.temperature, 1.0);
  untouched.decoder.temperature = fitted.decoder.temperature;
  const auto decoded = decode_all(f.dataset, f.features, f.predictions.logits, untouched.decoder);
  const auto threshold = testing::threshold_of(f, decoded);
  ASSERT_TRUE(threshold);
  EXPECT_EQ(fitted.decoder.null_threshold, threshold->log_odds);
  EXPECT_GT(fitted.decoder.null_threshold, 0.0);

  EXPECT_DOUBLE_EQ(exact_under(f, settings_with_null()), 200.0 / 6);
  EXPECT_DOUBLE_EQ(exact_under(f, fitted), 500.0 / 6);
  EXPECT_DOUBLE_EQ(exact_under(f, fitted), threshold->exact);
}

TEST(FitSettings, ThresholdStaysZeroWhereNothingCanBeChosen) {
  Fixture f = shy_model();
  AnswerSettings settings = settings_with_null();
  settings.decoder.null_answers = false;  // trained without such questions
  EXPECT_EQ(fit(f, settings).decoder.null_threshold, 0);
  for (size_t i = 4; i < 6; ++i) f.dataset.examples[i].answers = {{"ben", 21}};
  settings.decoder.null_answers = true;
  const AnswerSettings fitted = fit(f, settings);
  EXPECT_EQ(fitted.decoder.null_threshold, 0);
}

TEST(FitSettings, LeavesOtherDecodersToTheirOwnRules) {
  const Fixture f = shy_model();
  for (const DecoderKind kind :
       {DecoderKind::kPipeline, DecoderKind::kRunQa, DecoderKind::kRecipe}) {
    SCOPED_TRACE(spelling_of(kind));
    AnswerSettings settings = settings_with_null();
    settings.decoder.kind = kind;
    settings.decoder.temperature = 3.0;
    settings.decoder.null_threshold = -7.0;
    const AnswerSettings fitted = fit(f, settings);
    EXPECT_EQ(fitted.decoder.temperature, 1.0);
    EXPECT_EQ(fitted.decoder.null_threshold, 0.0);
  }
}

}  // namespace
}  // namespace spanforge
