#include "spanforge/features/window_check.h"

#include <algorithm>

#include "features/fixture.h"
#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_dataset;
using testing::make_options;
using testing::make_tokenizer;
using testing::words;

struct WindowCase {
  std::string name, context, question;
  std::vector<Answer> answers;
  std::string fault;  // "": there is none
};

TEST(CheckWindows, FindsWhatDoesNotFit) {
  const Tokenizer tokenizer = make_tokenizer();
  // Windows of 12 tokens; a question of one token leaves 8, and 4 overlap: [0, 8), [4, 12) ...
  const std::vector<WindowCase> cases = {
      {"fits", words(20), "who", {{"w1 w2", 3}}, ""},
      {"fits the second window", words(20), "who", {{"w7 w8", 21}}, ""},
      {"as long as a window's context", words(20), "who", {{words(8), 0}}, ""},
      {"longer", words(20), "who", {{words(9), 0}}, "answer_cut"},
      {"across the edges", words(20), "who", {{"w3 w4 w5 w6 w7 w8", 9}}, "answer_cut"},
      {"longer, in a context of one window", words(8), "who", {{words(8), 0}}, ""},
      {"in white space", words(20), "who", {{"w1 ", 3}}, "answer_without_token"},
      {"part of an unknown word", "w0 zebra w1", "who", {{"ebra", 4}}, "answer_inside_token"},
      {"part of a known word", "w0 newyork w1", "who", {{"ewyork", 4}}, "answer_inside_token"},
      {"part of a word that is two tokens", "w0 newyork w1", "who", {{"york", 6}}, ""},
      {"an unknown word", "w0 zebra w1", "who", {{"zebra", 3}}, ""},
      {"cut and part of a word", words(20), "who", {{words(9).substr(1), 1}}, "answer_cut"},
      {"no room at all", words(2), words(9), {{"w1", 3}}, "question_too_long"},
      {"no step", words(20), words(5), {{"w1", 3}}, "question_too_long"},
      {"no step, but one window", words(4), words(5), {{"w1", 3}}, ""},
      {"misaligned", words(20), "who", {{words(9), 1}}, ""},
      {"empty", words(20), "who", {{"", 0}}, ""},
      {"none", words(20), "who", {}, ""},
  };
  for (const WindowCase& item : cases) {
    SCOPED_TRACE(item.name);
    const Dataset dataset = make_dataset(item.context, item.question, item.answers);
    const auto findings = check_windows(dataset, tokenizer, {12, 4});
    ASSERT_EQ(findings.size(), item.fault.empty() ? 0u : 1u);
    if (item.fault.empty()) continue;
    EXPECT_EQ(window_fault_name(findings[0].fault), item.fault);
    EXPECT_FALSE(findings[0].reason.empty());
  }
}

// The result for a question does not depend on the ones before it.
TEST(CheckWindows, ChecksEveryQuestionAlone) {
  const Tokenizer tokenizer = make_tokenizer();
  Dataset dataset;
  for (int i = 0; i < 40; ++i) {
    Dataset one = make_dataset("w0 zebra w1 " + std::to_string(i), "who", {{"ebra", 4}});
    one.examples[0].context = dataset.contexts.size();
    dataset.contexts.push_back(one.contexts[0]);
    dataset.examples.push_back(one.examples[0]);
  }
  const auto findings = check_windows(dataset, tokenizer, {12, 4});
  ASSERT_EQ(findings.size(), dataset.examples.size());
  for (size_t i = 0; i < findings.size(); ++i) {
    EXPECT_EQ(findings[i].fault, WindowFault::kAnswerInsideToken);
    EXPECT_EQ(findings[i].example, i);
  }
}

// The check finds exactly what training counts and refuses.
TEST(CheckWindows, AgreesWithTheFeatures) {
  const Tokenizer tokenizer = make_tokenizer();
  CounterStream random(testing::test_seed());
  int64_t built = 0, truncated = 0, refused = 0;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    const auto below = [&](int n) {
      return static_cast<int>(random.next_below(static_cast<uint64_t>(n)));
    };
    const int size = 1 + below(30), first = below(size), count = 1 + below(size - first);
    const std::string context = words(size);
    const std::string answer = context.substr(static_cast<size_t>(first) * 3,
                                              static_cast<size_t>(count) * 3 - 1 + below(2));
    const Dataset dataset = make_dataset(context, words(1 + below(9)), {{answer, first * 3}});
    const auto findings = check_windows(dataset, tokenizer, {12, 4});
    try {
      const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(12, 4));
      ++built;
      truncated += set.label_counts().truncated;
      EXPECT_EQ(set.label_counts().truncated, static_cast<int64_t>(findings.size()));
      EXPECT_EQ(
          set.label_counts().edges_outside,
          std::ranges::count(findings, WindowFault::kAnswerWithoutToken, &WindowFinding::fault));
    } catch (const Error&) {
      ++refused;
      ASSERT_EQ(findings.size(), 1u);
      EXPECT_EQ(findings[0].fault, WindowFault::kQuestionTooLong);
    }
  }
  EXPECT_TRUE(built > 0 && truncated > 0 && refused > 0)
      << built << ", " << truncated << ", " << refused;
}

}  // namespace
}  // namespace spanforge
