#include "spanforge/evaluation/answer_settings.h"

#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

class AnswerSettingsTest : public ::testing::Test {
 protected:
  void write(const std::string& text) { write_file_atomic(directory_ / kAnswerSettingsFile, text); }
  testing::TemporaryDirectory directory_;
};

TEST_F(AnswerSettingsTest, ReadBackAsWritten) {
  AnswerSettings settings;
  settings.decoder = DecoderKind::kRunQa;
  settings.windows = {96, 17};
  settings.max_answer_length = 41;
  settings.null_answers = true;
  settings.null_threshold = -1.0 / 3;
  settings.temperature = 1.7;
  DirectoryWriter writer(directory_.path());
  save_answer_settings(settings, Json{{"train_sha256", "ab"}}, writer);
  const auto read = load_answer_settings(directory_.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->decoder, settings.decoder);
  EXPECT_EQ(read->windows.max_seq_length, 96);
  EXPECT_EQ(read->windows.window_overlap, 17);
  EXPECT_EQ(read->max_answer_length, 41);
  EXPECT_TRUE(read->null_answers);
  EXPECT_EQ(read->null_threshold, settings.null_threshold);
  EXPECT_EQ(read->temperature, 1.7);
  EXPECT_NE(read_file(directory_ / kAnswerSettingsFile).find("\"train_sha256\": \"ab\""),
            std::string::npos);
}

TEST_F(AnswerSettingsTest, AbsentFileIsNoError) {
  EXPECT_FALSE(load_answer_settings(directory_.path()));
}

TEST_F(AnswerSettingsTest, UnknownKeysAreIgnoredAndAbsentOnesDefault) {
  write(R"({"format": 1, "future": [1], "max_answer_length": 12})");
  const auto read = load_answer_settings(directory_.path());
  EXPECT_EQ(read->max_answer_length, 12);
  EXPECT_EQ(read->windows.max_seq_length, WindowOptions{}.max_seq_length);
}

TEST_F(AnswerSettingsTest, WrongValuesNameFileAndKey) {
  const std::vector<std::pair<std::string, std::string>> rows = {
      {R"({"max_seq_length": "384"})", "max_seq_length"},
      {R"({"max_answer_length": 0})", "max_answer_length"},
      {R"({"window_overlap": -1})", "window_overlap"},
      {R"({"window_overlap": 1.5})", "window_overlap"},
      {R"({"null_threshold": null})", "null_threshold"},
      {R"({"temperature": 0})", "temperature"},
      {R"({"null_answers": 1})", "null_answers"},
      {R"({"decoder": "beam"})", "decoder"},
      {R"({"decoder": 3})", "decoder"},
      {R"({"format": 2})", "format 2"},
      {"[]", "object"},
  };
  for (const auto& [text, key] : rows) {
    SCOPED_TRACE(text);
    write(text);
    const Error error = testing::expect_error(ErrorCode::kBadModel,
                                              [&] { load_answer_settings(directory_.path()); });
    EXPECT_NE(error.place().find(kAnswerSettingsFile), std::string::npos);
    EXPECT_NE(error.reason().find(key), std::string::npos) << error.reason();
  }
}

class ChooseAnswerSettings : public ::testing::Test {
 protected:
  ChooseAnswerSettings() {
    stored_.windows = {96, 17};
    stored_.max_answer_length = 41;
    stored_.null_answers = true;
    stored_.null_threshold = -2.5;
    stored_.temperature = 1.7;
  }
  AnswerSettings choose(const std::optional<AnswerSettings>& stored,
                        const GivenSettings& given = {}) const {
    return choose_answer_settings(stored, given, tokenizer_, 512).settings;
  }
  AnswerSettings stored_;
  Tokenizer tokenizer_ = testing::word_tokenizer({{"q", "who", "ben", {}}});
};

TEST_F(ChooseAnswerSettings, TakesWhatTrainingStored) {
  const AnswerSettings chosen = choose(stored_);
  EXPECT_EQ(chosen.windows.max_seq_length, 96);
  EXPECT_EQ(chosen.windows.window_overlap, 17);
  EXPECT_EQ(chosen.max_answer_length, 41);
  EXPECT_TRUE(chosen.null_answers);
  EXPECT_EQ(chosen.null_threshold, -2.5);
  EXPECT_EQ(chosen.temperature, 1.7);
  stored_.decoder = DecoderKind::kRunQa;
  EXPECT_EQ(choose(stored_).decoder, DecoderKind::kRunQa);
  EXPECT_EQ(choose(stored_, {.decoder = DecoderKind::kRunQa}).max_answer_length, 41);
}

TEST_F(ChooseAnswerSettings, AnotherDecoderHasItsOwnDefaults) {
  const AnswerSettings chosen = choose(stored_, {.decoder = DecoderKind::kPipeline});
  EXPECT_EQ(chosen.windows.max_seq_length, 384);
  EXPECT_EQ(chosen.windows.window_overlap, 128);
  EXPECT_EQ(chosen.max_answer_length, 15);
  EXPECT_FALSE(chosen.null_answers);
  EXPECT_EQ(chosen.null_threshold, 0.0);
  EXPECT_EQ(chosen.temperature, 1.0);
  EXPECT_EQ(choose(stored_, {.decoder = DecoderKind::kRunQa}).max_answer_length, 30);
  EXPECT_EQ(choose(std::nullopt).decoder, DecoderKind::kSpanforge);
}

TEST_F(ChooseAnswerSettings, WhatIsGivenStandsFirst) {
  const AnswerSettings chosen = choose(
      stored_,
      {.max_seq_length = 64, .max_answer_length = 9, .null_answers = false, .null_threshold = 3.0});
  EXPECT_EQ(chosen.windows.max_seq_length, 64);
  EXPECT_EQ(chosen.windows.window_overlap, 32) << "half of the length given, not the stored one";
  EXPECT_EQ(chosen.max_answer_length, 9);
  EXPECT_FALSE(chosen.null_answers);
  EXPECT_EQ(chosen.null_threshold, 3.0);
  EXPECT_EQ(chosen.temperature, 1.7);
  EXPECT_EQ(choose(stored_, {.window_overlap = 5}).windows.window_overlap, 5);
}

TEST_F(ChooseAnswerSettings, SaysWhenNobodyStatesALength) {
  EXPECT_TRUE(choose_answer_settings(std::nullopt, {}, tokenizer_, 512).length_is_fallback);
  EXPECT_FALSE(choose_answer_settings(stored_, {}, tokenizer_, 512).length_is_fallback);
  EXPECT_FALSE(choose_answer_settings(std::nullopt, {.max_seq_length = 64}, tokenizer_, 512)
                   .length_is_fallback);
}

TEST_F(ChooseAnswerSettings, RefusesWindowsTheModelCannotHave) {
  const Error given = testing::expect_error(ErrorCode::kUsage, [&] {
    choose_answer_settings(stored_, {.max_seq_length = 65}, tokenizer_, 64);
  });
  EXPECT_EQ(given.place(), "--max-seq-length");
  const Error stored = testing::expect_error(
      ErrorCode::kBadModel, [&] { choose_answer_settings(stored_, {}, tokenizer_, 64); });
  EXPECT_EQ(stored.place(), kAnswerSettingsFile);
}

TEST(LongestAnswer, CoversTheLabelsWithSomeToSpare) {
  const testing::Fixture f =
      testing::make_fixture({{"q1",
                              "who",
                              "one two three four five six seven eight nine ten eleven twelve",
                              {{"two three four five six seven eight nine ten eleven", 4}}}},
                            {64, 8}, true);
  EXPECT_EQ(longest_answer_from_labels(f.features), 13);  // 10 tokens and a quarter
}

TEST(LongestAnswer, IsNeverTinyAndHasADefault) {
  const testing::Fixture labelled =
      testing::make_fixture({{"q1", "who", "one two", {{"two", 4}}}}, {64, 8}, true);
  EXPECT_EQ(longest_answer_from_labels(labelled.features), 8);
  const testing::Fixture bare =
      testing::make_fixture({{"q1", "who", "one two", {}}}, {64, 8}, true);
  EXPECT_EQ(longest_answer_from_labels(bare.features), 30);
}

}  // namespace
}  // namespace spanforge
