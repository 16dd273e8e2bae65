#include "spanforge/metrics/predictions_file.h"

#include <gtest/gtest.h>

#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

Dataset dataset_of(const std::vector<std::pair<std::string, std::string>>& gold_by_id) {
  Dataset dataset;
  dataset.contexts = {"x y z"};
  for (const auto& [id, gold] : gold_by_id) {
    Example example;
    example.id = id;
    if (!gold.empty()) example.answers.push_back({gold, 0});
    dataset.examples.push_back(example);
  }
  return dataset;
}

class PredictionsFileTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text) {
    write_file_atomic(directory_ / name, text);
    return directory_ / name;
  }
  testing::TemporaryDirectory directory_;
  const Dataset dataset_ = dataset_of({{"1", "x"}, {"2", ""}, {"3", "z"}});
};

TEST_F(PredictionsFileTest, ScoresAndTellsMissingAndExtra) {
  const auto predictions = write("p.json", R"({"3": "z", "1": "wrong", "9": "?"})");
  const PredictionScores scores = score_predictions(dataset_, predictions, std::nullopt);
  EXPECT_EQ(scores.missing, std::vector<std::string>{"2"});
  EXPECT_EQ(scores.extra, std::vector<std::string>{"9"});
  EXPECT_EQ(find_number(scores.values, "total"), 3);
  EXPECT_DOUBLE_EQ(*find_number(scores.values, "exact"), 100.0 / 3);
  EXPECT_EQ(find_number(scores.values, "HasAns_exact"), 50.0);
}

TEST_F(PredictionsFileTest, OddsAboveOneMeanNoAnswer) {
  const auto predictions = write("p.json", R"({"1": "x", "2": "y", "3": "z"})");
  const auto odds = write("o.json", R"({"1": -3.5, "2": 2, "3": 1.0, "9": 7})");
  const PredictionScores scores = score_predictions(dataset_, predictions, odds);
  EXPECT_EQ(find_number(scores.values, "exact"), 100.0);
  EXPECT_EQ(find_number(scores.values, "best_exact_thresh"), 1.0);
}

TEST_F(PredictionsFileTest, OddsThatAreNoProbabilitiesAreNamed) {
  const auto predictions = write("p.json", R"({"1": "x", "2": "y", "3": "z"})");
  const auto named = [&](const char* odds) {
    return score_predictions(dataset_, predictions, write("o.json", odds)).improbable_odds;
  };
  using Ids = std::vector<std::string>;
  EXPECT_EQ(named(R"({"1": 0, "2": 1, "3": 0.5})"), Ids{});
  EXPECT_EQ(named(R"({"1": 0.0, "2": 1.0, "3": -0.0})"), Ids{});
  EXPECT_EQ(named(R"({"1": -3.5, "2": 0.5, "3": 1.0000001})"), (Ids{"1", "3"}));
}

TEST_F(PredictionsFileTest, TiesFollowTheOddsFileElseThePredictionsFile) {
  const auto predictions = write("p.json", R"({"2": "y", "1": "x", "3": "z"})");
  // Takes 2 (-1), then 1 and 3: best = -1 + 2 + 1 (no-answer question) = 2 of 3.
  const auto best_exact = [&](const std::optional<std::filesystem::path>& odds) {
    return *find_number(score_predictions(dataset_, predictions, odds).values, "best_exact");
  };
  EXPECT_DOUBLE_EQ(best_exact(std::nullopt), 200.0 / 3);
  const auto odds = write("o.json", R"({"1": 0.5, "3": 0.5, "2": 0.5})");
  EXPECT_EQ(best_exact(odds), 100.0);
}

TEST_F(PredictionsFileTest, WrongTypesNameFileAndId) {
  for (const char* text : {R"({"q7": 3})", R"({"q7": null})", R"({"q7": ["x"]})"}) {
    const Error error = testing::expect_error(ErrorCode::kBadData,
                                              [&] { load_predictions(write("p.json", text)); });
    EXPECT_NE(error.file().find("p.json"), std::string::npos);
    EXPECT_NE(error.reason().find("q7"), std::string::npos);
  }
  const Error error = testing::expect_error(
      ErrorCode::kBadData, [&] { load_odds(write("o.json", R"({"q7": "0.5"})")); });
  EXPECT_NE(error.reason().find("q7"), std::string::npos);
  testing::expect_error(ErrorCode::kBadData, [&] { load_predictions(write("p.json", "[]")); });
}

TEST_F(PredictionsFileTest, PredictionWithoutOddsIsAnError) {
  const auto predictions = write("p.json", R"({"1": "x"})");
  const auto odds = write("o.json", R"({"2": 0})");
  const Error error = testing::expect_error(
      ErrorCode::kBadData, [&] { score_predictions(dataset_, predictions, odds); });
  EXPECT_NE(error.file().find("o.json"), std::string::npos);
  EXPECT_NE(error.reason().find("1"), std::string::npos);
}

TEST_F(PredictionsFileTest, MissingFileIsAnInputError) {
  testing::expect_error(ErrorCode::kIo, [&] { load_predictions(directory_ / "none.json"); });
}

}  // namespace
}  // namespace spanforge
