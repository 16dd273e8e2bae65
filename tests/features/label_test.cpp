#include "spanforge/features/label.h"

#include <optional>

#include "features/fixture.h"
#include "spanforge/base/random.h"
#include "spanforge/features/summary.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_dataset;
using testing::make_options;
using testing::make_tokenizer;

struct LabelCase {
  std::string name, context, answer;
  int32_t start;
  std::optional<LabelSpan> recipe, run_qa;
};

TEST(LabelAnswer, RulesDifferOnlyAtWhiteSpaceAndDroppedCharacters) {
  const Tokenizer tokenizer = make_tokenizer();
  const std::vector<LabelCase> cases = {
      {"whole tokens", "w0 w1 w2", "w1", 3, LabelSpan{1, 1}, LabelSpan{1, 1}},
      {"mid-token answer", "w0 city w2", "it", 4, LabelSpan{1, 1}, LabelSpan{1, 1}},
      {"half a word's tokens", "w0 newyork w2", "york", 6, LabelSpan{2, 2}, LabelSpan{2, 2}},
      {"leading space", "w0 w1 w2", " w1", 2, std::nullopt, LabelSpan{0, 1}},
      {"trailing space", "w0 w1 w2", "w1 ", 3, std::nullopt, LabelSpan{1, 2}},
      {"only space", "w0 w1 w2", " ", 2, std::nullopt, LabelSpan{0, 1}},
      {"last token", "w0 w1 w2", "w2", 6, LabelSpan{2, 2}, LabelSpan{2, 2}},
      {"trailing space of all", "w0 w1 ", "w1 ", 3, std::nullopt, std::nullopt},
  };
  for (const LabelCase& item : cases) {
    SCOPED_TRACE(item.name);
    TokenBuffer tokens;
    tokenizer.tokenize(item.context, tokens);
    const CharSpan answer{item.start, item.start + static_cast<int32_t>(item.answer.size())};
    ASSERT_EQ(item.context.substr(static_cast<size_t>(item.start), item.answer.size()),
              item.answer);
    EXPECT_EQ(label_answer(tokens.offsets, answer, LabelRule::kRecipe), item.recipe);
    EXPECT_EQ(label_answer(tokens.offsets, answer, LabelRule::kRunQa), item.run_qa);
  }
}

// Compares with loops over single tokens, on random non-decreasing offsets with gaps and shared
// spans.
TEST(LabelAnswer, EqualsPlainSearchOnRandomOffsets) {
  SCOPED_TRACE(testing::test_seed());
  CounterStream random(testing::test_seed());
  int recipes = 0, run_qas = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<CharSpan> offsets;
    int32_t at = static_cast<int32_t>(random.next_below(3));
    for (uint64_t n = random.next_below(8); n > 0; --n) {
      if (!offsets.empty() && random.next_below(5) == 0) {
        offsets.push_back(offsets.back());  // several pieces of one character
        continue;
      }
      at += static_cast<int32_t>(random.next_below(3));
      const int32_t end = at + 1 + static_cast<int32_t>(random.next_below(3));
      offsets.push_back({at, end});
      at = end;
    }
    const auto start = static_cast<int32_t>(random.next_below(16));
    const CharSpan answer{start, start + 1 + static_cast<int32_t>(random.next_below(6))};
    const auto n = static_cast<int32_t>(offsets.size());
    int32_t first = -1, last = -1;
    for (int32_t i = 0; i < n; ++i) {
      const CharSpan& o = offsets[static_cast<size_t>(i)];
      if (first < 0 && o.start <= answer.start && answer.start < o.end) first = i;
      if (o.start <= answer.end - 1 && answer.end - 1 < o.end) last = i;
    }
    const auto recipe = label_answer(offsets, answer, LabelRule::kRecipe);
    ASSERT_EQ(recipe.has_value(), first >= 0 && last >= 0);
    if (recipe) {
      ++recipes;
      ASSERT_EQ(*recipe, (LabelSpan{first, last}));
    }
    const auto run_qa = label_answer(offsets, answer, LabelRule::kRunQa);
    const bool covered =
        n > 0 && offsets.front().start <= answer.start && offsets.back().end >= answer.end;
    ASSERT_EQ(run_qa.has_value(), covered);
    if (covered) {
      ++run_qas;
      int32_t s = 0, e = n - 1;
      while (s < n && offsets[static_cast<size_t>(s)].start <= answer.start) ++s;
      while (e >= 0 && offsets[static_cast<size_t>(e)].end >= answer.end) --e;
      ASSERT_EQ(*run_qa, (LabelSpan{s - 1, e + 1}));
    }
  }
  EXPECT_GT(recipes, 1000);
  EXPECT_GT(run_qas, 1000);
}

TEST(LabelRow, TurnsLabelsBackIntoText) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = make_dataset("NEWYORK city.", "who?", {{"NEWYORK city", 0}});
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(16, 2));
  const LabelRow row = label_row(dataset, set, tokenizer, 0);
  EXPECT_EQ(row.id, "q1");
  EXPECT_EQ(row.question, "who?");
  EXPECT_EQ(row.answer, "NEWYORK city");
  EXPECT_EQ(row.decoded, "newyork city");
  EXPECT_EQ(row.source, "NEWYORK city");
  // The recipe decodes token by token, without spaces, and keeps special tokens and "##".
  EXPECT_EQ(row.label, "new##yorkcity");
  EXPECT_EQ(row.input, "[CLS]who?[SEP]new##yorkcity.[SEP]");
  const Dataset none = make_dataset("city", "who?");
  const LabelRow empty =
      label_row(none, FeatureSet::build(none, tokenizer, make_options(16, 2)), tokenizer, 0);
  EXPECT_EQ(empty.answer + empty.decoded + empty.source + empty.label, "");
  EXPECT_EQ(empty.input, "[CLS]who?[SEP]city[SEP]");
}

TEST(LabelRow, ShowsAnUnknownTokenOfTheLabel) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = make_dataset("w0 zebra w1", "who?", {{"zebra w1", 3}});
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, make_options(16, 2));
  const LabelRow row = label_row(dataset, set, tokenizer, 0);
  EXPECT_EQ(row.decoded, "[UNK] w1");
  EXPECT_EQ(row.label, "[UNK]w1");
}

TEST(LabelRow, ALabelThatEndsBeforeItBeginsHasNoToken) {
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u1112", "##\u1161", "##\u11ab"}, {}, "jamo");
  // One character of three tokens: it is decomposed first.
  const Dataset dataset = make_dataset("\ud55c", "", {{"\ud55c", 0}});
  FeatureOptions options = make_options(16, 2);
  options.label_rule = LabelRule::kRunQa;
  const FeatureSet set = FeatureSet::build(dataset, tokenizer, options);
  ASSERT_GT(set.windows()[0].start_position, set.windows()[0].end_position);
  const LabelRow row = label_row(dataset, set, tokenizer, 0);
  EXPECT_EQ(row.decoded + row.label, "");
  EXPECT_EQ(row.source, "\ud55c");
}

TEST(InsideToken, AnEdgeWithinATokenIsOne) {
  const Tokenizer tokenizer = make_tokenizer();
  TokenBuffer tokens;
  tokenizer.tokenize("w0 newyork zebra w1", tokens);  // w0 new ##york [UNK] w1
  const auto inside = [&](int32_t start, int32_t end) {
    return is_inside_token(tokens.offsets, {start, end});
  };
  EXPECT_FALSE(inside(3, 10)) << "newyork";
  EXPECT_FALSE(inside(3, 6)) << "new";
  EXPECT_FALSE(inside(6, 10)) << "york";
  EXPECT_TRUE(inside(4, 10)) << "ewyork";
  EXPECT_TRUE(inside(0, 1)) << "w";
  EXPECT_TRUE(inside(12, 14)) << "eb";
  EXPECT_TRUE(inside(11, 15)) << "zebr";
  EXPECT_TRUE(inside(12, 19)) << "ebra w1";
  EXPECT_FALSE(inside(10, 16)) << "white space at both ends is in no token";
  EXPECT_FALSE(inside(2, 3)) << "white space alone";
  EXPECT_FALSE(is_inside_token({}, {0, 1}));
}

}  // namespace
}  // namespace spanforge
