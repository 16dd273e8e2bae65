#include "spanforge/evaluation/answer_settings.h"

#include <gtest/gtest.h>

#include "evaluation/support.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/text/tokenizer.h"
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
  settings.decoder.kind = DecoderKind::kRunQa;
  settings.windows = {96, 17};
  settings.decoder.max_answer_length = 41;
  settings.decoder.null_answers = true;
  settings.decoder.null_threshold = -1.0 / 3;
  settings.decoder.temperature = 1.7;
  DirectoryWriter writer(directory_.path());
  save_answer_settings(settings, Json{{"train_sha256", "ab"}}, writer);
  const auto read = load_answer_settings(directory_.path());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->decoder.kind, settings.decoder.kind);
  EXPECT_EQ(read->windows.max_seq_length, 96);
  EXPECT_EQ(read->windows.window_overlap, 17);
  EXPECT_EQ(read->decoder.max_answer_length, 41);
  EXPECT_TRUE(read->decoder.null_answers);
  EXPECT_EQ(read->decoder.null_threshold, settings.decoder.null_threshold);
  EXPECT_EQ(read->decoder.temperature, 1.7);
  EXPECT_NE(read_file(directory_ / kAnswerSettingsFile).find("\"train_sha256\": \"ab\""),
            std::string::npos);
}

TEST_F(AnswerSettingsTest, AbsentFileIsNoError) {
  EXPECT_FALSE(load_answer_settings(directory_.path()));
}

TEST_F(AnswerSettingsTest, UnknownKeysAreIgnoredAndAbsentOnesDefault) {
  write(R"({"format": 1, "future": [1], "max_answer_length": 12})");
  const auto read = load_answer_settings(directory_.path());
  EXPECT_EQ(read->decoder.max_answer_length, 12);
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
    EXPECT_NE(error.file().find(kAnswerSettingsFile), std::string::npos);
    EXPECT_NE((error.where() + error.reason()).find(key), std::string::npos) << error.what();
  }
}

class ChooseAnswerSettings : public ::testing::Test {
 protected:
  ChooseAnswerSettings() {
    stored_.windows = {96, 17};
    stored_.decoder.max_answer_length = 41;
    stored_.decoder.null_answers = true;
    stored_.decoder.null_threshold = -2.5;
    stored_.decoder.temperature = 1.7;
  }
  AnswerSettings choose(const std::optional<AnswerSettings>& stored,
                        const AnswerOverlay& asked = {}) const {
    return choose_answer_settings(stored, asked, tokenizer_, 512).settings;
  }
  AnswerSettings stored_;
  Tokenizer tokenizer_ = testing::word_tokenizer({{"q", "who", "ben", {}}});
};

TEST_F(ChooseAnswerSettings, TakesWhatTrainingStored) {
  const AnswerSettings chosen = choose(stored_);
  EXPECT_EQ(chosen.windows.max_seq_length, 96);
  EXPECT_EQ(chosen.windows.window_overlap, 17);
  EXPECT_EQ(chosen.decoder.max_answer_length, 41);
  EXPECT_TRUE(chosen.decoder.null_answers);
  EXPECT_EQ(chosen.decoder.null_threshold, -2.5);
  EXPECT_EQ(chosen.decoder.temperature, 1.7);
  stored_.decoder.kind = DecoderKind::kRunQa;
  EXPECT_EQ(choose(stored_).decoder.kind, DecoderKind::kRunQa);
  EXPECT_EQ(choose(stored_, {.decoder = DecoderKind::kRunQa}).decoder.max_answer_length, 41);
}

TEST_F(ChooseAnswerSettings, AnotherDecoderHasItsOwnDefaults) {
  const AnswerSettings chosen = choose(stored_, {.decoder = DecoderKind::kPipeline});
  EXPECT_EQ(chosen.windows.max_seq_length, 384);
  EXPECT_EQ(chosen.windows.window_overlap, 128);
  EXPECT_EQ(chosen.decoder.max_answer_length, 15);
  EXPECT_FALSE(chosen.decoder.null_answers);
  EXPECT_EQ(chosen.decoder.null_threshold, 0.0);
  EXPECT_EQ(chosen.decoder.temperature, 1.0);
  EXPECT_EQ(choose(stored_, {.decoder = DecoderKind::kRunQa}).decoder.max_answer_length, 30);
  EXPECT_EQ(choose(std::nullopt).decoder.kind, DecoderKind::kSpanforge);
}

TEST_F(ChooseAnswerSettings, WhatIsGivenStandsFirst) {
  const AnswerSettings chosen = choose(
      stored_,
      {.max_seq_length = 64, .max_answer_length = 9, .null_answers = false, .null_threshold = 3.0});
  EXPECT_EQ(chosen.windows.max_seq_length, 64);
  EXPECT_EQ(chosen.windows.window_overlap, 32) << "half of the length given, not the stored one";
  EXPECT_EQ(chosen.decoder.max_answer_length, 9);
  EXPECT_FALSE(chosen.decoder.null_answers);
  EXPECT_EQ(chosen.decoder.null_threshold, 3.0);
  EXPECT_EQ(chosen.decoder.temperature, 1.7);
  EXPECT_EQ(choose(stored_, {.window_overlap = 5}).windows.window_overlap, 5);
}

// Each field: the overlay's value, then the stored one, then the decoder's own default.
TEST_F(ChooseAnswerSettings, LaysEveryFieldOver) {
  stored_.decoder.top_k = 4;
  const AnswerOverlay asked{.decoder = DecoderKind::kSpanforge,
                            .max_seq_length = 60,
                            .window_overlap = 6,
                            .max_answer_length = 7,
                            .top_k = 3,
                            .n_best_size = 11,
                            .null_answers = false,
                            .align_to_words = false,
                            .null_threshold = 0.0,
                            .max_answer_ratio = 0.25,
                            .temperature = 1.0};
  AnswerOverlay of_another = asked;
  of_another.decoder = DecoderKind::kPipeline;
  for (const AnswerSettings& chosen :
       {choose(stored_, asked), choose(std::nullopt, asked), choose(stored_, of_another)}) {
    EXPECT_EQ(chosen.windows.max_seq_length, 60);
    EXPECT_EQ(chosen.windows.window_overlap, 6);
    EXPECT_EQ(chosen.decoder.max_answer_length, 7);
    EXPECT_EQ(chosen.decoder.top_k, 3);
    EXPECT_EQ(chosen.decoder.n_best_size, 11);
    EXPECT_FALSE(chosen.decoder.null_answers);
    EXPECT_FALSE(chosen.decoder.align_to_words);
    EXPECT_EQ(chosen.decoder.null_threshold, 0.0);
    EXPECT_EQ(chosen.decoder.max_answer_ratio, 0.25);
    EXPECT_EQ(chosen.decoder.temperature, 1.0);
  }
  EXPECT_EQ(choose(stored_, {}).decoder.top_k, 4);
  EXPECT_EQ(choose(stored_, {.decoder = DecoderKind::kPipeline}).decoder.top_k, 1);
  // A field that the overlay sets leaves the others as stored.
  const AnswerSettings one = choose(stored_, {.temperature = 2.0});
  EXPECT_EQ(one.decoder.temperature, 2.0);
  EXPECT_EQ(one.decoder.max_answer_length, 41);
  EXPECT_EQ(one.windows.max_seq_length, 96);
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
  EXPECT_EQ(given.parameter(), "max_seq_length");
  const Error stored = testing::expect_error(
      ErrorCode::kBadModel, [&] { choose_answer_settings(stored_, {}, tokenizer_, 64); });
  EXPECT_EQ(stored.place().text(), kAnswerSettingsFile);
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
