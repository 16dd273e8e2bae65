#include "spanforge/inference/pipeline.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "spanforge/model/model.h"
#include "support/saving.h"
#include "support/testing.h"

namespace spanforge {
namespace {

const char* const kWords[] = {"ana",   "ben",  "carla", "went", "home", "stayed", "with",
                              "and",   "who",  "where", "did",  "the",  "in",     "evening",
                              "early", "late", "day",   "one",  "two",  "three"};

Tokenizer make_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  vocabulary.insert(vocabulary.end(), std::begin(kWords), std::end(kWords));
  return Tokenizer::from_vocabulary(vocabulary, {}, "test");
}

QuestionAnsweringModel make_model() {
  ModelConfig config;
  config.vocab_size = 40;
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 48;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.4;
  return QuestionAnsweringModel::create(config, 11);
}

std::string long_context(size_t words) {
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    text += kWords[(i * 7 + i / 5) % std::size(kWords)];
    text += ' ';
  }
  return text;
}

std::vector<QuestionContext> some_questions() {
  return {{"who went home", "ana went home with ben and carla stayed", "a"},
          {"where did carla", long_context(150), "b"},
          {"who", "ben", "c"},
          {"who went home", long_context(60), "d"}};
}

const DecoderKind kDecoders[] = {DecoderKind::kSpanforge, DecoderKind::kPipeline,
                                 DecoderKind::kRunQa, DecoderKind::kRecipe};

TEST(Pipeline, AnswersInTheOrderAskedWhateverStandsBesideAQuestion) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const auto questions = some_questions();
  for (DecoderKind decoder : kDecoders) {
    SCOPED_TRACE(spelling_of(decoder));
    AskOptions options;
    options.decoder = decoder;
    options.top_k = 3;
    options.batch_size = 3;
    const auto together = pipeline.answer(questions, options);
    ASSERT_EQ(together.size(), questions.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      const auto alone = pipeline.answer({questions[i]}, options).front();
      ASSERT_EQ(alone.size(), together[i].size());
      EXPECT_LE(alone.size(), 3u);
      for (size_t k = 0; k < alone.size(); ++k) {
        EXPECT_EQ(alone[k].answer, together[i][k].answer);
        EXPECT_NEAR(alone[k].score, together[i][k].score, 1e-5);
      }
    }
  }
}

TEST(Pipeline, InPartsAndBatchedWithOthersAnswersAreTheSame) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const auto questions = some_questions();
  for (DecoderKind decoder : kDecoders) {
    SCOPED_TRACE(spelling_of(decoder));
    AskOptions options;
    options.decoder = decoder;
    options.top_k = 3;
    EXPECT_EQ(pipeline.decoder(options), spelling_of(decoder));
    const auto whole = pipeline.answer_each(questions, options);
    const auto first = pipeline.prepare({questions[0], questions[1]}, options);
    const auto second = pipeline.prepare({questions[2], questions[3]}, options);
    ASSERT_GT(first->window_count(), 2u);
    // Batches of three windows, from both calls by turns.
    std::vector<PreparedWindow> windows;
    for (size_t w = 0; w < std::max(first->window_count(), second->window_count()); ++w) {
      if (w < first->window_count()) windows.push_back({first.get(), w});
      if (w < second->window_count()) windows.push_back({second.get(), w});
    }
    for (size_t at = 0; at < windows.size(); at += 3) {
      pipeline.compute(std::span(windows).subspan(at, std::min<size_t>(3, windows.size() - at)));
    }
    std::vector<AskResult> parts = pipeline.finish(*first);
    for (AskResult& result : pipeline.finish(*second)) parts.push_back(std::move(result));
    ASSERT_EQ(parts.size(), whole.size());
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(parts[i].answers.size(), whole[i].answers.size());
      EXPECT_EQ(parts[i].windows, whole[i].windows);
      EXPECT_NEAR(parts[i].no_answer, whole[i].no_answer, 1e-5);
      for (size_t k = 0; k < whole[i].answers.size(); ++k) {
        EXPECT_EQ(parts[i].answers[k].span, whole[i].answers[k].span);
        EXPECT_NEAR(parts[i].answers[k].score, whole[i].answers[k].score, 1e-5);
      }
    }
  }
}

TEST(Pipeline, TheProbabilityOfNoAnswerIsWhatNullAnswersState) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  for (DecoderKind decoder : {DecoderKind::kSpanforge, DecoderKind::kPipeline}) {
    SCOPED_TRACE(spelling_of(decoder));
    AskOptions options;
    options.decoder = decoder;
    options.top_k = 50;
    const auto without = pipeline.answer_each(some_questions(), options);
    options.null_answers = true;
    const auto with = pipeline.answer_each(some_questions(), options);
    ASSERT_EQ(with.size(), without.size());
    for (size_t i = 0; i < with.size(); ++i) {
      EXPECT_GT(with[i].no_answer, 0);
      EXPECT_LE(with[i].no_answer, 1);
      if (decoder == DecoderKind::kSpanforge) {
        EXPECT_NEAR(with[i].no_answer, without[i].no_answer, 1e-9);
      }
    }
  }
}

TEST(Pipeline, SpansAreSlicesOfTheContext) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  AskOptions options;
  options.top_k = 5;
  ASSERT_FALSE(some_questions().empty());
  for (const QuestionContext& asked : some_questions()) {
    const auto answers = pipeline.answer({asked}, options).front();
    ASSERT_FALSE(answers.empty());
    for (const AskAnswer& answer : answers) {
      EXPECT_EQ(slice_code_points(asked.context, answer.span.start, answer.span.end),
                answer.answer);
    }
  }
}

TEST(Pipeline, StoredSettingsHoldForTheSpanforgeDecoderOnly) {
  AnswerSettings settings;
  settings.windows = {32, 8};
  settings.decoder.max_answer_length = 1;
  settings.decoder.null_answers = true;
  settings.decoder.null_threshold = -1e6;  // always "no answer"
  const Pipeline stored(make_model(), make_tokenizer(), settings);
  const Pipeline bare(make_model(), make_tokenizer());
  const auto questions = some_questions();
  EXPECT_EQ(stored.answer(questions)[0][0].answer, "");
  EXPECT_NE(bare.answer(questions)[0][0].answer, "");
  AskOptions options;
  options.null_answers = false;
  EXPECT_EQ(stored.answer(questions, options)[1][0].answer.find(' '), std::string::npos);
  options.max_answer_length = 40;
  options.decoder = DecoderKind::kPipeline;
  EXPECT_EQ(stored.answer(questions, options)[1][0].answer,
            bare.answer(questions, options)[1][0].answer);
}

TEST(Pipeline, RunQaPutsItsDecisionFirstAndKeepsItsNullAnswer) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  AskOptions one;
  one.decoder = DecoderKind::kRunQa;
  one.null_answers = true;
  AskOptions many = one;
  many.top_k = 21;  // n_best_size and the null answer that was put back
  const auto decisions = pipeline.answer(some_questions(), one);
  const auto lists = pipeline.answer(some_questions(), many);
  ASSERT_EQ(lists.size(), some_questions().size());
  ASSERT_FALSE(lists.empty());
  for (size_t i = 0; i < lists.size(); ++i) {
    size_t empty = 0;
    for (const AskAnswer& answer : lists[i]) empty += answer.answer.empty() ? 1 : 0;
    EXPECT_EQ(empty, 1u);
    EXPECT_EQ(lists[i].front().answer, decisions[i].front().answer);
  }
}

TEST(Pipeline, RefusesWhatCannotBeAskedNamingTheQuestion) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const auto refuse = [&](QuestionContext asked, const std::string& reason,
                          AskOptions options = {}) {
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] {
      pipeline.answer({{"who", "ben", "fine"}, asked}, options);
    });
    EXPECT_NE(error.place().text().find("question 2 (id x)"), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find(reason), std::string::npos) << error.what();
  };
  refuse({"", "ben", "x"}, "question is empty");
  refuse({"who", "", "x"}, "context is empty");
  refuse({"who", "ben \xff", "x"}, "UTF-8");
  refuse({long_context(70), "ben", "x"}, "tokens");
}

TEST(Pipeline, AnswersTheOthersBesideQuestionsThatCannotBeAsked) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const std::vector<QuestionContext> bad = {{"", "ben", "x"},
                                            {"who", "", "x"},
                                            {"who", "ben \xff", "x"},
                                            {"\xff", "ben", "x"},
                                            {long_context(70), "ben", "x"}};
  std::vector<QuestionContext> questions;
  for (const QuestionContext& one : bad) {
    questions.push_back(one);
    for (const QuestionContext& good : some_questions()) questions.push_back(good);
  }
  const auto results = pipeline.answer_each(questions);
  ASSERT_EQ(results.size(), questions.size());
  size_t answered = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    SCOPED_TRACE(i);
    if (questions[i].id == "x") {
      ASSERT_TRUE(results[i].error);
      EXPECT_TRUE(results[i].answers.empty());
      const Error alone =
          testing::expect_error(ErrorCode::kUsage, [&] { pipeline.answer({questions[i]}); });
      EXPECT_EQ(results[i].error->reason(), alone.reason());
    } else {
      EXPECT_FALSE(results[i].error);
      ASSERT_EQ(results[i].answers.size(), 1u);
      EXPECT_EQ(results[i].answers[0].answer, pipeline.answer({questions[i]})[0][0].answer);
      ++answered;
    }
  }
  EXPECT_EQ(answered, bad.size() * some_questions().size());
  EXPECT_TRUE(pipeline.answer_each({bad[4]})[0].error) << "nothing is left to answer";
  EXPECT_TRUE(pipeline.answer_each({}).empty());
  AskOptions options;
  options.top_k = 0;
  testing::expect_error(ErrorCode::kUsage, [&] { pipeline.answer_each(questions, options); });
}

TEST(Pipeline, RefusesOptionsOutOfRange) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const auto refuse = [&](AskOptions options, const std::string& parameter) {
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] {
      pipeline.answer({{"who", "ben", ""}}, options);
    });
    EXPECT_EQ(error.parameter(), parameter);
  };
  AskOptions options;
  options.top_k = 0;
  refuse(options, "top_k");
  options = {};
  options.max_seq_length = 65;
  refuse(options, "max_seq_length");
  options = {};
  options.max_answer_length = 0;
  refuse(options, "max_answer_length");
}

TEST(Pipeline, ContextWithoutAnyTokenHasNoAnswer) {
  const Pipeline pipeline(make_model(), make_tokenizer());
  const auto answers = pipeline.answer({{"who", " \t ", ""}});
  ASSERT_EQ(answers.front().size(), 1u);
  EXPECT_EQ(answers.front().front().answer, "");
}

TEST(Pipeline, ReadsASavedDirectoryWithItsSettings) {
  const testing::TemporaryDirectory directory;
  QuestionAnsweringModel model = make_model();
  testing::save_in(directory.path(), model);
  testing::save_in(directory.path(), make_tokenizer());
  AnswerSettings settings;
  settings.windows = {48, 8};
  settings.decoder.max_answer_length = 2;
  DirectoryWriter writer(directory.path());
  save_answer_settings(settings, Json(), writer);
  const Pipeline saved = Pipeline::from_directory(directory.path());
  const Pipeline built(std::move(model), make_tokenizer(), settings);
  const auto questions = some_questions();
  ASSERT_FALSE(questions.empty());
  for (size_t i = 0; i < questions.size(); ++i) {
    EXPECT_EQ(saved.answer(questions)[i][0].answer, built.answer(questions)[i][0].answer);
    EXPECT_EQ(saved.answer(questions)[i][0].score, built.answer(questions)[i][0].score);
  }
}

TEST(Pipeline, MissingDirectoryIsAnError) {
  testing::expect_error(ErrorCode::kIo, [] { Pipeline::from_directory("/nowhere/at/all"); });
}

}  // namespace
}  // namespace spanforge
