#include "spanforge/data/soundness.h"

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

std::string row(const std::string& id, const std::string& answers) {
  return R"({"id": ")" + id + R"(", "question": "q", "context": "a 3 b 1500", )" + answers + "}\n";
}

const std::string kSound = row("s", R"("answers": [{"text": "b", "answer_start": 4}])");
const std::string kNoJson = "{\"id\": }\n";
const std::string kTwice = row("s", R"("answers": [{"text": "a", "answer_start": 0}])");
const std::string kNumber = row("n", R"("answers": [{"text": 3, "answer_start": 2}])");
const std::string kFloat = row("f", R"("answers": [{"text": 39764.0, "answer_start": 2}])");
const std::string kSecondNull =
    row("z", R"("answers": [{"text": "b", "answer_start": 4}, {"text": null, "answer_start": 4}])");
const std::string kFlag = row("l", R"("answers": [], "is_impossible": "true")");
const std::string kStart = row("t", R"("answers": [{"text": "b", "answer_start": "4"}])");

struct SoundnessCase {
  const char* name;
  std::string rows;
  bool trains, scores, scores_by_id;
};

TEST(Soundness, EachFaultPreventsOnlyTheUseThatItAffects) {
  const std::vector<SoundnessCase> cases = {
      {"sound", kSound, true, true, true},
      {"a line that is no JSON", kSound + kNoJson, false, false, false},
      {"an id twice", kSound + kTwice, true, true, false},
      {"a number that stands there", kSound + kNumber, false, true, true},
      {"a number that does not", kSound + kFloat, false, false, false},
      {"a second reference that is null", kSound + kSecondNull, true, false, false},
      {"a flag as a text", kSound + kFlag, true, true, true},
      {"a start as a text", kSound + kStart, true, true, true},
  };
  for (const SoundnessCase& one : cases) {
    SCOPED_TRACE(one.name);
    const Dataset set = read_dataset_text(one.rows, "set.jsonl");
    const auto passes = [&](auto&& require) {
      try {
        require(set);
        return true;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kBadData);
        EXPECT_TRUE(error.place().text().starts_with("set.jsonl: line 2")) << error.place().text();
        return false;
      }
    };
    EXPECT_EQ(passes(require_trainable), one.trains);
    EXPECT_EQ(passes([](const Dataset& d) { require_scorable(d, false); }), one.scores);
    EXPECT_EQ(passes([](const Dataset& d) { require_scorable(d, true); }), one.scores_by_id);
  }
}

TEST(Soundness, SkipsCountsAndNames) {
  const std::string rows = kSound + kNoJson + kTwice + kNumber + kFloat + kSecondNull;
  std::string line;
  const Dataset trained = drop_untrainable(read_dataset_text(rows, "set.jsonl"), line);
  EXPECT_EQ(trained.examples.size(), 3u);
  EXPECT_EQ(line.find("set.jsonl: skipped: 2 answer_text_type, 1 bad_row; first line 2"), 0u)
      << line;
  const Dataset scored = drop_unscorable(read_dataset_text(rows, "set.jsonl"), line);
  EXPECT_EQ(scored.examples.size(), 3u);
  for (const RowFault& fault : scored.faults) {
    if (fault.example == SIZE_MAX) continue;
    EXPECT_EQ(scored.examples[fault.example].id, fault.id);
  }
  drop_untrainable(read_dataset_text(kSound, "set.jsonl"), line);
  EXPECT_EQ(line, "");
  testing::expect_error(ErrorCode::kBadData,
                        [&] { drop_untrainable(read_dataset_text(kNumber, "set.jsonl"), line); });
}

TEST(Soundness, BlindSetsHaveNoReferences) {
  const Dataset blind = read_dataset_text(row("a", R"("x": 1)"), "set.jsonl");
  require_scorable(blind, true);
  testing::expect_error(ErrorCode::kBadData, [&] { require_references(blind); });
  require_references(read_dataset_text(kSound, "set.jsonl"));
}

TEST(Soundness, ReportsFaultsInOneLine) {
  EXPECT_EQ(faults_line(read_dataset_text(kSound, "set.jsonl")), std::nullopt);
  const auto line = faults_line(read_dataset_text(kSound + kTwice + kNoJson, "set.jsonl"));
  ASSERT_TRUE(line);
  EXPECT_EQ(
      line->find("set.jsonl: 1 bad_row, 1 duplicate_id; first line 2: the id \"s\" is already"), 0u)
      << *line;
}

}  // namespace
}  // namespace spanforge
