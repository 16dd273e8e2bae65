#include "spanforge/features/feature_set.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "features/fixture.h"
#include "spanforge/base/threads.h"
#include "spanforge/features/summary.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::make_dataset;
using testing::make_options;
using testing::make_tokenizer;
using testing::random_dataset;
using testing::words;

TEST(FeatureSet, LaysPairOutByTheTemplate) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = make_dataset("newyork city", "who?", {{"city", 8}});
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(32, 4));
  ASSERT_EQ(set.size(), 1u);
  const Window& w = set.windows()[0];
  const auto ids = set.input_ids(w);
  EXPECT_EQ(std::vector<int32_t>(ids.begin(), ids.end()),
            (std::vector<int32_t>{2, 9, 10, 3, 5, 6, 8, 3}));
  const auto types = set.token_type_ids(w);
  EXPECT_EQ(std::vector<int32_t>(types.begin(), types.end()),
            (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1, 1}));
  const auto offsets = set.offsets(w);
  EXPECT_EQ(
      std::vector<CharSpan>(offsets.begin(), offsets.end()),
      (std::vector<CharSpan>{{0, 0}, {0, 3}, {3, 4}, {0, 0}, {0, 3}, {3, 7}, {8, 12}, {0, 0}}));
  const auto word_ids = set.word_ids(w);
  EXPECT_EQ(std::vector<int32_t>(word_ids.begin(), word_ids.end()),
            (std::vector<int32_t>{-1, 0, 1, -1, 0, 0, 1, -1}));
  EXPECT_EQ(w.context, (TokenSpan{4, 7}));
  EXPECT_EQ(w.start_position, 6);
  EXPECT_EQ(w.end_position, 6);
  EXPECT_EQ(set.longest_window(), 8);
  EXPECT_EQ(
      label_summary(set),
      "labels: 1 aligned, 0 truncated, 0 dropped; 0 without an answer; 1 windows of at most 32 "
      "tokens, overlap 4");
}

TEST(FeatureSet, LabelsOnlyWindowsThatHoldTheWholeAnswer) {
  const Tokenizer tokenizer = make_tokenizer();
  // 20 context tokens, room 8, overlap 2: windows 0-8, 6-14, 12-20. "w6 w7" is in two of them.
  const Dataset dataset = make_dataset(words(20), "who?", {{"w6 w7", 18}});
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(13, 2));
  ASSERT_EQ(set.size(), 3u);
  EXPECT_EQ(set.windows()[0].start_position, 4 + 6);
  EXPECT_EQ(set.windows()[0].end_position, 4 + 7);
  EXPECT_EQ(set.windows()[1].start_position, 4);
  EXPECT_EQ(set.windows()[1].end_position, 5);
  EXPECT_EQ(set.windows()[2].start_position, 0);
  EXPECT_EQ(set.windows()[2].end_position, 0);
  EXPECT_EQ(set.windows()[2].index, 2);
  EXPECT_EQ(set.windows_of(0), (std::pair<int32_t, int32_t>(0, 3)));
  EXPECT_EQ(set.label_counts().aligned, 1);

  const FeatureSet cut = FeatureSet::build(make_dataset(words(20), "who?", {{words(9), 0}}),
                                           tokenizer, make_options(13, 2));
  EXPECT_EQ(cut.label_counts().truncated, 1);
  EXPECT_EQ(cut.label_counts().edges_outside, 0);
  for (const Window& w : cut.windows()) EXPECT_EQ(w.end_position, 0);
}

TEST(FeatureSet, HasOneWindowForContextsWithoutTokens) {
  const Tokenizer tokenizer = make_tokenizer();
  for (const std::string context : {"", " \t ", "\xE2\x80\x8B"}) {
    const FeatureSet set =
        FeatureSet::build(make_dataset(context, "who?"), tokenizer, make_options(16, 2));
    ASSERT_EQ(set.size(), 1u);
    EXPECT_EQ(set.windows()[0].context, (TokenSpan{4, 4}));
    EXPECT_EQ(set.windows()[0].length, 5);
    EXPECT_EQ(set.label_counts().impossible, 1);
  }
}

TEST(FeatureSet, ErrorsNameTheQuestionThatLeavesNoRoom) {
  const Tokenizer tokenizer = make_tokenizer();
  const auto build = [&](const std::string& question, int context_words, int32_t overlap) {
    return FeatureSet::build(make_dataset(words(context_words), question), tokenizer,
                             make_options(13, overlap));
  };
  EXPECT_EQ(build(words(9), 1, 0).size(), 1u);  // room for one token
  EXPECT_EQ(build(words(8), 2, 5).size(), 1u);  // the context fits, whatever the overlap
  EXPECT_EQ(build(words(9), 4, 0).size(), 4u);
  for (const auto& error : {expect_error(ErrorCode::kBadData, [&] { build(words(10), 1, 0); }),
                            expect_error(ErrorCode::kBadData, [&] { build(words(8), 3, 2); })}) {
    EXPECT_EQ(error.place().text(), "set.json: data[0] (id q1)");
    EXPECT_NE(error.reason().find("for the context"), std::string::npos) << error.reason();
  }
}

TEST(FeatureSet, RefusesOverlapsThatLeaveNoStep) {
  const Tokenizer tokenizer = make_tokenizer();
  for (const int32_t overlap : {-1, 13, 100}) {
    const Error error = expect_error(ErrorCode::kUsage, [&] {
      FeatureSet::build(make_dataset("w1", "who?"), tokenizer, make_options(16, overlap));
    });
    EXPECT_EQ(error.parameter(), "window_overlap");
  }
}

TEST(FeatureSet, RefusesOrDropsAnswersThatAreNotWhereTheySay) {
  const Tokenizer tokenizer = make_tokenizer();
  struct Row {
    const char* answer;
    int64_t start;
    bool impossible;
    const char* reason;
  };
  const Row rows[] = {
      {"w2", 4, false, "\"w2\" is not at character 4: the context has \"1 \" there"},
      {"w2", -1, false, "at character -1"},
      {"w2", 1000, false, "the context has \"\" there"},
      {"", 0, false, "the answer is empty"},
      {" ", 5, false, "the answer is empty"},
      {"w0", 0, true, "is_impossible is true"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.reason);
    Dataset dataset = make_dataset("w0 w1  w2", "who?", {{row.answer, row.start}});
    dataset.examples[0].is_impossible = row.impossible;
    dataset.examples.push_back(dataset.examples[0]);
    dataset.examples[1].id = "q2";
    dataset.examples[1].is_impossible = false;
    dataset.examples[1].answers = {{"w1", 3}};
    FeatureOptions options = make_options(16, 2);
    const Error error =
        expect_error(ErrorCode::kBadData, [&] { FeatureSet::build(dataset, tokenizer, options); });
    EXPECT_EQ(error.place().text(), "set.json: data[0] (id q1)");
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.reason();

    options.on_bad_answer = BadAnswerPolicy::kDrop;
    const FeatureSet dropped = FeatureSet::build(dataset, tokenizer, options);
    EXPECT_EQ(dropped.label_counts().dropped, 1);
    EXPECT_EQ(dropped.label_counts().aligned, 1);
    EXPECT_EQ(dropped.windows_of(0), (std::pair<int32_t, int32_t>(0, 0)));
    EXPECT_EQ(dropped.windows_of(1), (std::pair<int32_t, int32_t>(0, 1)));
    EXPECT_EQ(dropped.windows()[0].example, 1);

    options.with_labels = false;
    EXPECT_EQ(FeatureSet::build(dataset, tokenizer, options).size(), 2u);
  }
}

TEST(FeatureSet, CountsAnswersWithEdgesInNoToken) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = make_dataset("w0 w1 w2", "who?", {{" w1", 2}});
  FeatureOptions options = make_options(16, 2);
  const FeatureSet recipe = FeatureSet::build(dataset, tokenizer, options);
  EXPECT_EQ(recipe.label_counts().truncated, 1);
  EXPECT_EQ(recipe.label_counts().edges_outside, 1);
  EXPECT_NE(label_summary(recipe).find("1 of the truncated"), std::string::npos);
  options.label_rule = LabelRule::kRunQa;
  EXPECT_EQ(FeatureSet::build(dataset, tokenizer, options).label_counts().aligned, 1);
}

TEST(FeatureSet, CountsAnswersThatAreAPartOfAToken) {
  const Tokenizer tokenizer = make_tokenizer();
  for (const auto& [answer, count] :
       {std::pair<Answer, int64_t>{{"ebr", 4}, 1}, {{"zebra", 3}, 0}}) {
    SCOPED_TRACE(answer.text);
    const Dataset dataset = make_dataset("w0 zebra w2", "who?", {answer});
    const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(16, 2));
    EXPECT_EQ(set.label_counts().aligned, 1);
    EXPECT_EQ(set.label_counts().inside_token, count);
    EXPECT_EQ(label_summary(set).find("answer_inside_token: 1 of") != std::string::npos,
              count == 1);
  }
  LabelCounts sum;
  LabelCounts one;
  one.inside_token = 3;
  sum += one;
  EXPECT_EQ(sum.inside_token, 3);
}

TEST(FeatureSet, DoesNotDependOnThreadsAndReportsProgressToTheEnd) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = random_dataset(10000);
  std::vector<std::pair<int64_t, int64_t>> calls;
  FeatureOptions options = make_options(24, 7);
  options.progress = [&](int64_t done, int64_t all) { calls.emplace_back(done, all); };
  const int threads = thread_count();
  set_thread_count(1);
  const FeatureSet one = FeatureSet::build(dataset, tokenizer, options);
  set_thread_count(4);
  const FeatureSet four = FeatureSet::build(dataset, tokenizer, options);
  set_thread_count(threads);
  ASSERT_EQ(one.size(), four.size());
  ASSERT_EQ(one.token_count(), four.token_count());
  for (size_t i = 0; i < one.size(); ++i) {
    const Window &a = one.windows()[i], &b = four.windows()[i];
    ASSERT_EQ(a.start_position, b.start_position);
    ASSERT_EQ(a.end_position, b.end_position);
    ASSERT_TRUE(std::ranges::equal(one.input_ids(a), four.input_ids(b)));
    ASSERT_TRUE(std::ranges::equal(one.offsets(a), four.offsets(b)));
  }
  EXPECT_EQ(calls.front(), (std::pair<int64_t, int64_t>(0, 10000))) << "the work begins";
  EXPECT_EQ(calls.back(), (std::pair<int64_t, int64_t>(10000, 10000)));
  EXPECT_EQ(std::count(calls.begin(), calls.end(), calls.back()), 2);  // once per build
}

TEST(FeatureSet, WithoutPlacesHasTheSameTokensAndLabels) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = random_dataset(100);
  FeatureOptions options = make_options(24, 7);
  const FeatureSet with = FeatureSet::build(dataset, tokenizer, options);
  options.with_places = false;
  const FeatureSet without = FeatureSet::build(dataset, tokenizer, options);
  ASSERT_EQ(with.size(), without.size());
  for (size_t i = 0; i < with.size(); ++i) {
    const Window &a = with.windows()[i], &b = without.windows()[i];
    EXPECT_EQ(a.start_position, b.start_position);
    EXPECT_EQ(a.end_position, b.end_position);
    EXPECT_TRUE(std::ranges::equal(with.input_ids(a), without.input_ids(b)));
    EXPECT_TRUE(std::ranges::equal(with.token_type_ids(a), without.token_type_ids(b)));
  }
}

TEST(RequireSoundAnswers, ThrowsTheErrorOfBuilding) {
  const Tokenizer tokenizer = make_tokenizer();
  Dataset dataset = random_dataset(200);
  require_sound_answers(dataset);
  dataset.examples[150].answers = {{"nowhere", 0}};
  dataset.examples[120].answers = {{"nowhere", 2}};
  const Error building = expect_error(
      ErrorCode::kBadData, [&] { FeatureSet::build(dataset, tokenizer, make_options(24, 7)); });
  const Error asked = expect_error(ErrorCode::kBadData, [&] { require_sound_answers(dataset); });
  EXPECT_STREQ(asked.what(), building.what());
  EXPECT_NE(asked.place().text().find("120"), std::string::npos) << asked.place().text();
}

TEST(DefaultWindows, FollowsTokenizerModelAndUsualLength) {
  const Tokenizer bare = make_tokenizer();
  EXPECT_TRUE(default_windows(bare, 512).used_fallback);
  EXPECT_EQ(default_windows(bare, 512).windows.max_seq_length, 384);
  EXPECT_EQ(default_windows(bare, 512).windows.window_overlap, 128);
  EXPECT_EQ(default_windows(bare, 100).windows.max_seq_length, 100);
  EXPECT_EQ(default_windows(bare, 100).windows.window_overlap, 50);

  testing::TemporaryDirectory directory;
  write_file_atomic(directory / "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
  write_file_atomic(directory / "tokenizer_config.json", R"({"model_max_length": 128})");
  const WindowDefaults stated = default_windows(Tokenizer::from_directory(directory.path()), 512);
  EXPECT_FALSE(stated.used_fallback);
  EXPECT_EQ(stated.windows.max_seq_length, 128);
  EXPECT_EQ(stated.windows.window_overlap, 64);
}

}  // namespace
}  // namespace spanforge
