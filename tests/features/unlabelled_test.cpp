// Questions whose answer is not where the file says, kept for evaluation.
#include <gtest/gtest.h>

#include "spanforge/data/dataset.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

struct Case {
  const char* answer;
  int64_t start;
  bool impossible;
};

Dataset three_questions(const Case& unsound) {
  Dataset dataset;
  dataset.file = "set.json";
  dataset.contexts = {"w0 w1 w2 w0 w1 w2 w0 w1"};
  for (const char* id : {"unsound", "sound", "none"}) {
    Example example;
    example.id = id;
    example.question = "who";
    dataset.examples.push_back(example);
  }
  dataset.examples[0].answers = {Answer{unsound.answer, unsound.start}};
  dataset.examples[0].is_impossible = unsound.impossible;
  dataset.examples[1].answers = {Answer{"w1", 3}};
  return dataset;
}

TEST(UnlabelledQuestions, KeepTheirWindowsAndCountApart) {
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "w0", "w1", "w2"}, {}, "test");
  for (const Case& unsound : {Case{"w2", 4, false}, Case{"w2", -1, false}, Case{"w2", 999, false},
                              Case{"", 0, false}, Case{"w0", 0, true}}) {
    SCOPED_TRACE(unsound.answer + std::string(" at ") + std::to_string(unsound.start));
    const Dataset dataset = three_questions(unsound);
    FeatureOptions options;
    options.windows = {10, 2};  // room for 6 of 8 context tokens: 2 windows
    options.on_bad_answer = BadAnswerPolicy::kKeepUnlabelled;
    const FeatureSet set = FeatureSet::build(dataset, tokenizer, options);
    ASSERT_EQ(set.size(), 6u);
    for (size_t example = 0; example < 3; ++example) {
      const auto [first, last] = set.windows_of(example);
      ASSERT_EQ(last - first, 2);
      for (int32_t w = first; w < last; ++w) {
        EXPECT_EQ(set.windows()[static_cast<size_t>(w)].labelled, example != 0);
      }
    }
    EXPECT_EQ(set.windows()[0].end_position, 0);
    EXPECT_EQ(set.label_counts().unlabelled, 1);
    EXPECT_EQ(set.label_counts().dropped, 0);
    EXPECT_EQ(set.label_counts().aligned, 1);
    EXPECT_EQ(set.label_counts().impossible, 1);
  }
}

TEST(UnlabelledQuestions, WithoutLabelsNoWindowHasOne) {
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "w0", "w1", "w2"}, {}, "test");
  FeatureOptions options;
  options.with_labels = false;
  const FeatureSet set = FeatureSet::build(three_questions({"w2", 4, false}), tokenizer, options);
  ASSERT_EQ(set.size(), 3u);
  for (const Window& window : set.windows()) EXPECT_FALSE(window.labelled);
  EXPECT_EQ(set.label_counts().unlabelled, 0);
}

}  // namespace
}  // namespace spanforge
