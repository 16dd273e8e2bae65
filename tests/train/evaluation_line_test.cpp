#include "spanforge/train/evaluation_line.h"

#include <gtest/gtest.h>

#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/word_f1.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using Keys = std::vector<std::string>;

Dataset validation(const char* context, bool with_impossible = true) {
  Dataset dataset;
  dataset.file = "v.json";
  dataset.contexts = {context};
  dataset.examples.resize(with_impossible ? 2 : 1);
  dataset.examples[0].answers = {{"x", 0}};
  return dataset;
}

const Dataset kChinese = validation("阿明在公园跑步。"), kEnglish = validation("Mina baked bread.");
constexpr LabelCounts kLabels = {.aligned = 1};

Evaluation evaluation(const std::vector<const Metric*>& more = {}) {
  Evaluation e;
  e.loss = 0.5;
  e.window_count = 30;
  e.runtime_seconds = 1.23456;
  const std::vector<SquadItem> items = {{"1", {"甲乙"}, "甲", 0, true}, {"2", {"x"}, "x", 0, true}};
  e.values = score_items(*all_metrics().front(), items);
  for (const Metric* metric : more) {
    const MetricValues values = score_items(*metric, items);
    e.values.insert(e.values.end(), values.begin(), values.end());
  }
  return e;
}

Keys keys_of(const LogLine& line) {
  Keys keys;
  for (const auto& [key, value] : line.values) keys.push_back(key);
  return keys;
}

TEST(EvaluationLine, HasHFsKeysInHFsOrder) {
  const LogLine line = evaluation_line(evaluation(), {}, 8);
  EXPECT_EQ(keys_of(line),
            (Keys{"eval_loss", "eval_exact", "eval_f1", "eval_total", "eval_HasAns_exact",
                  "eval_HasAns_f1", "eval_HasAns_total", "eval_best_exact",
                  "eval_best_exact_thresh", "eval_best_f1", "eval_best_f1_thresh", "eval_runtime",
                  "eval_samples_per_second", "eval_steps_per_second"}));
  EXPECT_EQ(line.number("eval_runtime"), 1.2346);
  EXPECT_EQ(line.number("eval_samples_per_second"), 24.3);
  EXPECT_EQ(line.number("eval_steps_per_second"), 3.24);
  EXPECT_EQ(line.values[3].second, LogValue(int64_t{2})) << "a count stays whole";
  EXPECT_EQ(line.values[1].second, LogValue(50.0));
}

TEST(EvaluationLine, MoreMetricsComeBehindSquadsWithTheKeysThatAreLogged) {
  EvaluationMetrics metrics;
  metrics.more = {&kCmrc2018, &kWordF1};
  const Evaluation e = evaluation(metrics.more);
  const auto more = [&] {
    Keys keys = keys_of(evaluation_line(e, metrics, 8));
    keys.erase(keys.begin(), keys.begin() + 11);
    keys.resize(keys.size() - 3);
    return keys;
  };
  EXPECT_EQ(more(), (Keys{"eval_cmrc_f1", "eval_cmrc_exact", "eval_word_f1", "eval_word_precision",
                          "eval_word_recall"}));
  metrics.best_key = "cmrc_average";  // logged once it is selected
  EXPECT_EQ(more().front(), "eval_cmrc_average");
}

TEST(EvaluationMetrics, ChineseDataHaveTheCmrcMetricAndOthersHaveNot) {
  EXPECT_EQ(choose_evaluation_metrics(kChinese, kLabels, {}).more,
            std::vector<const Metric*>{&kCmrc2018});
  EXPECT_TRUE(choose_evaluation_metrics(kEnglish, kLabels, {}).more.empty());
}

TEST(EvaluationMetrics, TheSelectedMetricIsComputed) {
  for (const char* name : {"cmrc_exact", "eval_cmrc_f1", "cmrc_average"}) {
    const EvaluationMetrics chosen = choose_evaluation_metrics(kEnglish, kLabels, name);
    EXPECT_EQ(chosen.more, std::vector<const Metric*>{&kCmrc2018}) << name;
    EXPECT_EQ("eval_" + chosen.best_key, metric_key(name));
  }
  EXPECT_EQ(choose_evaluation_metrics(kChinese, kLabels, "word_recall").more,
            (std::vector<const Metric*>{&kCmrc2018, &kWordF1}));
}

TEST(EvaluationMetrics, SelectingF1OnChineseDataBringsOneLine) {
  for (const char* name : {"f1", "eval_f1", "HasAns_f1"}) {
    const auto advice = choose_evaluation_metrics(kChinese, kLabels, name).advice;
    ASSERT_EQ(advice.size(), 1u) << name;
    EXPECT_NE(advice[0].find("cmrc_f1"), std::string::npos);
    EXPECT_TRUE(choose_evaluation_metrics(kEnglish, kLabels, name).advice.empty());
  }
  for (const char* name : {"loss", "exact", "cmrc_f1", "word_f1"}) {
    EXPECT_TRUE(choose_evaluation_metrics(kChinese, kLabels, name).advice.empty()) << name;
  }
}

TEST(EvaluationMetrics, AnUnknownKeyIsRefusedWithAListOfAll) {
  for (const char* name : {"f2", "eval_", "", "cmrc2018_f1", "eval_eval_f1"}) {
    const Error error = expect_error(ErrorCode::kUsage, [&] { require_metric_key(name); });
    EXPECT_EQ(error.parameter(), "metric_for_best_model");
    for (const char* key : {"loss, exact, f1, ", "cmrc_f1", "word_f1", "steps_per_second"}) {
      EXPECT_NE(error.reason().find(key), std::string::npos) << key;
    }
  }
  for (const Metric* metric : all_metrics()) {
    for (const MetricKey& key : metric->keys) require_metric_key(std::string(key.name));
  }
  for (const char* name : {"loss", "eval_loss", "runtime", "eval_steps_per_second"})
    require_metric_key(name);
}

TEST(EvaluationMetrics, AKeyThatTheDataDoNotGiveIsRefused) {
  const auto refuses = [&](const Dataset& data, const LabelCounts& labels, const char* name) {
    const Error error =
        expect_error(ErrorCode::kUsage, [&] { choose_evaluation_metrics(data, labels, name); });
    EXPECT_EQ(error.parameter(), "metric_for_best_model");
    EXPECT_NE(error.reason().find("v.json"), std::string::npos);
  };
  const Dataset answered = validation("Mina baked bread.", false);
  refuses(answered, kLabels, "NoAns_f1");
  refuses(answered, {.unlabelled = 1}, "loss");
  choose_evaluation_metrics(answered, kLabels, "HasAns_f1");
  choose_evaluation_metrics(kEnglish, kLabels, "eval_NoAns_f1");
  choose_evaluation_metrics(answered, {.impossible = 1}, "loss");
}

}  // namespace
}  // namespace spanforge
