#include "spanforge/evaluation/analysis.h"

#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "spanforge/base/json.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::Asked;
using testing::evaluate_logits;
using testing::Fixture;
using testing::make_fixture;
using testing::vote;

Analysis analysis_of(const Fixture& f, EvaluationOptions evaluation = {},
                     const DecoderOptions& decoder = {}) {
  Analysis analysis;
  evaluation.on_answers = [&](const JudgedAnswers& answers) {
    analyse(f.dataset, answers, decoder, analysis);
  };
  evaluate_logits(f, evaluation);
  return analysis;
}

// The verdict on one question whose logits favour words [first, last] in its first window.
Judgement judge(const Asked& asked, int32_t first, int32_t last, float strength = 9,
                WindowOptions windows = {64, 8}, DecoderOptions decoder = {}) {
  Fixture f = make_fixture({asked}, windows);
  vote(f, 0, first, last, strength);
  EvaluationOptions evaluation;
  decoder.null_answers = true;
  evaluation.decoder = decoder;
  return analysis_of(f, evaluation, decoder).judgements.at(0);
}

const Asked kAna = {
    "q1", "who went", "ana went home with ben and carla in the evening", {{"carla", 27}}};

TEST(Analysis, TellsRightFromUnsurelyRight) {
  EXPECT_EQ(judge(kAna, 6, 6).verdict, Verdict::kRight);
  EXPECT_EQ(judge(kAna, 6, 6, 1.5f).verdict, Verdict::kRightUnsure);
}

TEST(Analysis, NamesWhoLostIt) {
  EXPECT_EQ(judge(kAna, 5, 6).verdict, Verdict::kBoundary);
  EXPECT_EQ(judge(kAna, 0, 0).verdict, Verdict::kConfidentWrong);
  EXPECT_EQ(judge(kAna, -1, -1).verdict, Verdict::kFalseNone);
  EXPECT_EQ(judge(kAna, 0, 0, 1.5f).verdict, Verdict::kUnsureWrong);
}

TEST(Analysis, ReferenceInTheTopKWasLostByRanking) {
  Fixture f = make_fixture({kAna});
  vote(f, 0, 0, 0, 9);
  vote(f, 0, 6, 6, 8);
  const Judgement judgement = analysis_of(f).judgements.at(0);
  EXPECT_EQ(judgement.verdict, Verdict::kRankedLower);
  EXPECT_GT(judgement.gold_rank, 1);
}

TEST(Analysis, LabelThatStandsElsewhereIsBlamedOnTheLabel) {
  Asked asked = kAna;
  asked.answers = {{"carla", 3}};
  EXPECT_EQ(judge(asked, 0, 0).verdict, Verdict::kLabelBad);
}

TEST(Analysis, AnswerWithoutReferenceIsAFalseAnswer) {
  Asked asked = kAna;
  asked.answers.clear();
  EXPECT_EQ(judge(asked, 0, 0).verdict, Verdict::kFalseAnswer);
  EXPECT_EQ(judge(asked, -1, -1).verdict, Verdict::kRight);
}

TEST(Analysis, ReferenceAcrossAWindowsEdgeIsCutOff) {
  Asked asked = kAna;
  asked.answers = {{"home with ben and carla", 9}};
  // Windows of 4 context words with 1 shared: no window holds five words.
  EXPECT_EQ(judge(asked, 0, 0, 9, {9, 1}).verdict, Verdict::kCutOff);
}

TEST(Analysis, ReferenceLongerThanAllowedIsToldApart) {
  Asked asked = kAna;
  asked.answers = {{"home with ben and carla", 9}};
  DecoderOptions decoder;
  decoder.max_answer_length = 4;
  EXPECT_EQ(judge(asked, 0, 0, 9, {64, 8}, decoder).verdict, Verdict::kTooLong);
}

TEST(Analysis, ReferenceThatIsAPartOfItsTokenCannotBeGiven) {
  const auto verdict = [](const std::string& reference, int64_t start, int32_t word) {
    const Asked asked = {
        "q1", "who went", "ana paid 100euro to ben, carla, dora", {{reference, start}}};
    return judge(asked, word, word).verdict;
  };
  EXPECT_EQ(verdict("100", 9, 2), Verdict::kInsideToken) << "whatever was answered";
  EXPECT_EQ(verdict("100", 9, 0), Verdict::kInsideToken);
  EXPECT_EQ(verdict("100euro", 9, 0), Verdict::kConfidentWrong);
  EXPECT_STREQ(verdict_name(Verdict::kInsideToken), "answer_inside_token");
  EXPECT_STREQ(verdict_lost_by(Verdict::kInsideToken), "tokenizer");
  Asked two = {"q1", "who went", "ana paid 100euro to ben", {{"100", 9}, {"ben", 20}}};
  EXPECT_EQ(judge(two, 0, 0).verdict, Verdict::kConfidentWrong) << "the other one can be given";
  EXPECT_EQ(judge(two, -1, -1).verdict, Verdict::kFalseNone);
}

TEST(Analysis, ReportsCountEveryQuestionOnce) {
  Fixture f = make_fixture({kAna, {"q2", "who", "nobody at all", {}}});
  vote(f, 0, 5, 6, 9);
  vote(f, 1, 0, 0, 9);
  const Analysis analysis = analysis_of(f);
  const testing::TemporaryDirectory directory;
  write_analysis(f.dataset, analysis, AtomicFile(directory / "analysis.json"));
  const std::string text = read_file(directory / "analysis.json");
  const Json json = parse_json(text, "analysis", ErrorCode::kBadData);
  EXPECT_EQ(text, dump_python_json(json, {.indent = 4}) + "\n") << "as json.dumps writes it";
  EXPECT_EQ(json["questions"].get<int>(), 2);
  EXPECT_EQ(json["wrong"].get<int>(), 2);
  EXPECT_EQ(json["verdicts"][verdict_name(Verdict::kBoundary)].get<int>(), 1);
  EXPECT_EQ(json["lost_by"]["boundary"].get<int>(), 1);
  EXPECT_EQ(json["details"][1]["verdict"].get<std::string>(), verdict_name(Verdict::kFalseAnswer));
  const std::string table = analysis_table(f.dataset, analysis);
  EXPECT_NE(table.find("boundary off"), std::string::npos);
  EXPECT_NE(table.find("reference \"carla\""), std::string::npos);
  EXPECT_EQ(analysis_table(f.dataset, analysis, 0).find("carla"), std::string::npos);
}

TEST(Analysis, EveryVerdictHasItsWords) {
  for (int v = 0; v < kVerdictCount; ++v) {
    EXPECT_STRNE(verdict_name(static_cast<Verdict>(v)), "");
    EXPECT_EQ(std::string(verdict_lost_by(static_cast<Verdict>(v))).empty(), v < 2);
  }
}

}  // namespace
}  // namespace spanforge
