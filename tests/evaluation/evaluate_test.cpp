#include "spanforge/evaluation/evaluate.h"

#include <cmath>

#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "spanforge/evaluation/prediction_files.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/word_f1.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::Asked;
using testing::evaluate_logits;
using testing::Fixture;
using testing::judge;
using testing::make_fixture;
using testing::threshold_of;
using testing::vote;

const std::vector<Asked> kAsked = {
    {"q1", "who went home", "ana went home with ben today", {{"ana", 0}}},
    {"q2", "who stayed", "ben stayed there and slept well", {{"ben", 0}}},
    {"q3", "who flew", "nobody did such a thing here", {}},
};

// An evaluation that records its answers.
Evaluation write_files(const Fixture& f, EvaluationOptions options,
                       const std::filesystem::path& directory) {
  FileGroup group(directory);
  PredictionFiles files(group);
  options.on_answers = [&](const JudgedAnswers& answers) { files.add(f.dataset, answers); };
  Evaluation evaluation = evaluate_logits(f, options);
  files.finish();
  group.commit();
  return evaluation;
}

TEST(Evaluate, ScoresTheAnswersGivenAndRanksTheReferences) {
  Fixture f = make_fixture(kAsked);
  vote(f, 0, 0, 0, 9);  // right
  vote(f, 1, 4, 4, 9);  // "slept"; the reference is next
  vote(f, 1, 0, 0, 8);
  vote(f, 2, 1, 1, 9);
  EvaluationOptions options;
  const Evaluation e = evaluate_logits(f, options);
  EXPECT_EQ(e.number("total"), 3);
  EXPECT_DOUBLE_EQ(e.number("exact"), 100.0 / 3);
  EXPECT_EQ(e.number("NoAns_exact"), 0.0);
  EXPECT_EQ(e.ranks[0].rank, 1);
  EXPECT_GT(e.ranks[1].rank, 1);
  EXPECT_EQ(e.ranks[1].text, "ben");
  EXPECT_EQ(e.ranks[1].top1_text, "slept");
  EXPECT_GT(e.ranks[1].top1_score, e.ranks[1].score);
  EXPECT_EQ(e.ranks[2].rank, 0);
  EXPECT_EQ(e.ranks[2].score, 0.0);
  EXPECT_DOUBLE_EQ(e.qa_topk_recall, 2.0 / 3);
  EXPECT_FALSE(e.loss);
}

TEST(Evaluate, NullAnswersFollowTheThresholdAndBestSearchesAnswersNotYetBlanked) {
  Fixture f = make_fixture(kAsked);
  vote(f, 0, 0, 0, 9);
  vote(f, 1, 0, 0, 5);
  vote(f, 1, -1, -1, 6);  // the model prefers no answer
  vote(f, 2, -1, -1, 9);
  EvaluationOptions options;
  options.decoder.null_answers = true;
  const auto [e, decoded] = judge(f, options);
  EXPECT_EQ(decoded[1].prediction.text, "");
  EXPECT_EQ(decoded[1].best_non_null, "ben");
  EXPECT_DOUBLE_EQ(e.number("exact"), 200.0 / 3);
  EXPECT_EQ(e.number("best_exact"), 100.0);
  const auto threshold = threshold_of(f, decoded);
  ASSERT_TRUE(threshold);
  EXPECT_EQ(threshold->exact, 100.0);
  options.decoder.null_threshold = threshold->log_odds;
  const Evaluation again = evaluate_logits(f, options);
  EXPECT_EQ(again.number("exact"), 100.0);
}

TEST(NullThreshold, IsAbsentWhereEveryQuestionHasAnAnswer) {
  Fixture f = make_fixture({kAsked[0], kAsked[1]});
  EXPECT_FALSE(threshold_of(f, judge(f).decoded));
}

TEST(NullThreshold, EqualOddsStandOrFallTogether) {
  const Fixture f = make_fixture(kAsked);
  std::vector<DecodedExample> decoded(3);
  for (size_t i = 0; i < 3; ++i) {
    decoded[i].null_odds = 1.5;
    decoded[i].best_non_null = i == 0 ? "ana" : i == 1 ? "ben" : "x";
  }
  const auto threshold = threshold_of(f, decoded);
  EXPECT_GT(threshold->log_odds, 1.5);
  EXPECT_NEAR(threshold->f1, 200.0 / 3, 1e-9);
}

TEST(Evaluate, DroppedExamplesAreNotScored) {
  std::vector<Asked> asked = kAsked;
  asked[0].answers = {{"ana", 3}};  // not at the stated place
  Fixture f = make_fixture(asked, {64, 8}, true);
  const auto [e, decoded] = judge(f);
  EXPECT_EQ(e.number("total"), 2);
  EXPECT_EQ(decoded.size(), 3u);
}

TEST(Evaluate, LossIsTheMeanOverWindows) {
  Fixture f = make_fixture(kAsked, {64, 8}, true);
  f.predictions.window_losses = {1.0, 2.0, 6.0};
  EXPECT_EQ(*evaluate_logits(f, {}).loss, 3.0);
  Fixture unlabelled = make_fixture(kAsked);
  unlabelled.predictions.window_losses = f.predictions.window_losses;
  EXPECT_FALSE(evaluate_logits(unlabelled, {}).loss);
}

TEST(Evaluate, ReferencesThatStandElsewhereAreScoredByTheirText) {
  std::vector<Asked> asked = kAsked;
  asked[0].answers = {{"ana", 3}};  // not at the stated place
  Fixture f = make_fixture(asked, {64, 8}, true, BadAnswerPolicy::kKeepUnlabelled);
  vote(f, 0, 0, 0, 9);  // "ana": right by its text
  vote(f, 1, 4, 4, 9);
  f.predictions.window_losses = {std::nan(""), 2.0, 6.0};
  const testing::TemporaryDirectory directory;
  const Evaluation e = write_files(f, {}, directory.path());
  EXPECT_EQ(e.number("total"), 3);
  EXPECT_DOUBLE_EQ(e.number("exact"), 100.0 / 3);
  EXPECT_EQ(*e.loss, 4.0);
  EXPECT_EQ(e.ranks[0].rank, 1);
  const Json texts = parse_json_file(directory / "eval_predictions.json", ErrorCode::kBadData);
  EXPECT_EQ(texts.size(), 3u);
  EXPECT_EQ(texts["q1"].get<std::string>(), "ana");
}

// The metrics other than squad_v2 score the same answers, and also follow a fitted threshold.
TEST(Evaluate, MoreMetricsComeAfterSquadsAndJudgeTheAnswersGiven) {
  Fixture f = make_fixture(kAsked);
  vote(f, 0, 0, 1, 9);  // "ana went", of which "ana" is right
  vote(f, 1, 0, 0, 5);
  vote(f, 1, -1, -1, 6);  // withheld at threshold 0
  vote(f, 2, -1, -1, 9);
  EvaluationOptions options;
  options.decoder.null_answers = true;
  options.more_metrics = {&kCmrc2018, &kWordF1};
  for (const bool fit : {false, true}) {
    SCOPED_TRACE(fit);
    options.fit = fit;
    const Evaluation e = evaluate_logits(f, options);
    std::vector<std::string_view> keys;
    for (const MetricValue& value : e.values) keys.push_back(value.key);
    EXPECT_EQ(keys, (std::vector<std::string_view>{"exact",
                                                   "f1",
                                                   "total",
                                                   "HasAns_exact",
                                                   "HasAns_f1",
                                                   "HasAns_total",
                                                   "NoAns_exact",
                                                   "NoAns_f1",
                                                   "NoAns_total",
                                                   "best_exact",
                                                   "best_exact_thresh",
                                                   "best_f1",
                                                   "best_f1_thresh",
                                                   "cmrc_average",
                                                   "cmrc_f1",
                                                   "cmrc_exact",
                                                   "cmrc_skipped",
                                                   "word_f1",
                                                   "word_precision",
                                                   "word_recall"}));
    EXPECT_EQ(e.null_threshold > 0, fit);
    const double second = fit ? 1.0 : 0.0;  // "ben" is given only if the threshold allows it
    EXPECT_DOUBLE_EQ(e.number("f1"), 100.0 * (2.0 / 3 + second + 1) / 3);
    EXPECT_DOUBLE_EQ(e.number("cmrc_f1"), e.number("f1"));
    EXPECT_DOUBLE_EQ(e.number("cmrc_exact"), e.number("exact"));
    EXPECT_DOUBLE_EQ(e.number("word_f1"), e.number("f1"));
    EXPECT_DOUBLE_EQ(e.number("word_precision"), 100.0 * (0.5 + second + 1) / 3);
  }
}

TEST(PredictionFiles, AreRunQasToTheByte) {
  Fixture f = make_fixture({{"問1", "who", "ana was here", {{"ana", 0}}}});
  vote(f, 0, 0, 0, 2);
  EvaluationOptions options;
  options.decoder.kind = DecoderKind::kRunQa;
  options.decoder.n_best_size = 1;
  options.recipe_top_k = 2;
  const testing::TemporaryDirectory directory;
  write_files(f, options, directory / "out");
  EXPECT_EQ(read_file(directory / "out/eval_predictions.json"),
            "{\n    \"\\u554f1\": \"ana\"\n}\n");
  EXPECT_EQ(read_file(directory / "out/eval_nbest_predictions.json"),
            "{\n    \"\\u554f1\": [\n        {\n            \"start_logit\": 2.0,\n"
            "            \"end_logit\": 2.0,\n            \"text\": \"ana\",\n"
            "            \"probability\": 1.0\n        }\n    ]\n}\n");
  EXPECT_EQ(read_file(directory / "out/eval_null_odds.json"), "{\n    \"\\u554f1\": -4.0\n}\n");
  const Json top_k = parse_json_file(directory / "out/eval_qa_topk.json", ErrorCode::kBadData);
  ASSERT_EQ(top_k["問1"].size(), 2u);
  EXPECT_EQ(top_k["問1"][0]["text"].get<std::string>(), "ana");
}

TEST(PredictionFiles, LeaveNothingWithoutCommit) {
  Fixture f = make_fixture(kAsked);
  const testing::TemporaryDirectory directory;
  {
    FileGroup group(directory / "a/b/");
    PredictionFiles files(group);
    EvaluationOptions options;
    options.on_answers = [&](const JudgedAnswers& answers) { files.add(f.dataset, answers); };
    evaluate_logits(f, options);
    EXPECT_TRUE(std::filesystem::exists(directory / "a/b"));
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "a"));
}

}  // namespace
}  // namespace spanforge
