#include "spanforge/features/feature_set.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "spanforge/base/file.h"
#include "spanforge/base/random.h"
#include "spanforge/base/threads.h"
#include "spanforge/features/feature_chunks.h"
#include "spanforge/features/label.h"
#include "spanforge/features/packed_batch.h"
#include "spanforge/features/summary.h"
#include "spanforge/features/window_check.h"
#include "spanforge/features/window_plan.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

// Words w0..w9 and letters, so that tokens are easy to count.
Tokenizer make_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]",  "[CLS]", "[SEP]", "[MASK]",
                                         "new",   "##york", "york",  "city",  "who",
                                         "?",     ".",      ","};
  for (int i = 0; i < 10; ++i) vocabulary.push_back("w" + std::to_string(i));
  return Tokenizer::from_vocabulary(vocabulary, {}, "test vocabulary");
}

Dataset make_dataset(const std::string& context, const std::string& question,
                     std::vector<Answer> answers = {}) {
  Dataset dataset;
  dataset.file = "set.json";
  dataset.contexts = {context};
  Example example;
  example.id = "q1";
  example.question = question;
  example.answers = std::move(answers);
  example.place = "data[0]";
  dataset.examples = {example};
  return dataset;
}

FeatureOptions make_options(int32_t length, int32_t overlap) {
  FeatureOptions options;
  options.windows = {length, overlap};
  return options;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? " w" : "w") + std::to_string(i % 10);
  return text;
}

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

// Windows by the plainest reading of HF's rule: cut, step, stop at the first that reaches the end.
std::vector<TokenSpan> slow_windows(int32_t tokens, int32_t room, int32_t overlap) {
  if (tokens <= room) return {{0, tokens}};
  std::vector<TokenSpan> out;
  bool reached = false;
  for (int32_t start = 0; start < tokens && !reached; start += room - overlap) {
    out.push_back({start, std::min(start + room, tokens)});
    reached = out.back().end == tokens;
  }
  return out;
}

TEST(PlanWindows, CoversContextAsHfDoes) {
  std::vector<TokenSpan> plan;
  for (int32_t tokens = 0; tokens <= 40; ++tokens) {
    for (int32_t room = 1; room <= 20; ++room) {
      for (int32_t overlap = 0; overlap < room; ++overlap) {
        plan_windows(tokens, room, overlap, plan);
        ASSERT_EQ(plan, slow_windows(tokens, room, overlap))
            << tokens << " " << room << " " << overlap;
        ASSERT_EQ(plan.front().start, 0);
        ASSERT_EQ(plan.back().end, tokens);
        for (size_t i = 1; i < plan.size(); ++i) {
          ASSERT_EQ(plan[i - 1].end - plan[i].start, overlap);
        }
      }
    }
  }
}

TEST(FeatureSet, LabelsOnlyWindowsThatHoldTheWholeAnswer) {
  const Tokenizer tokenizer = make_tokenizer();
  // 20 context tokens, room 8, overlap 2: windows 0-8, 6-14, 12-20. "w6 w7" lies in two of them.
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

TEST(FeatureSet, NamesTheQuestionThatLeavesNoRoom) {
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
    EXPECT_EQ(error.place(), "set.json: data[0] (id q1)");
    EXPECT_NE(error.reason().find("for the context"), std::string::npos) << error.reason();
  }
}

TEST(FeatureSet, RefusesOverlapsThatLeaveNoStep) {
  const Tokenizer tokenizer = make_tokenizer();
  for (const int32_t overlap : {-1, 13, 100}) {
    const Error error = expect_error(ErrorCode::kUsage, [&] {
      FeatureSet::build(make_dataset("w1", "who?"), tokenizer, make_options(16, overlap));
    });
    EXPECT_EQ(error.place(), "--window-overlap");
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
    EXPECT_EQ(error.place(), "set.json: data[0] (id q1)");
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

// The rules as loops over single tokens, on random non-decreasing offsets with gaps and shared
// spans.
TEST(LabelAnswer, EqualsPlainSearchOnRandomOffsets) {
  SCOPED_TRACE(testing::test_seed());
  CounterStream random(testing::test_seed());
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
      ASSERT_EQ(*recipe, (LabelSpan{first, last}));
    }
    const auto run_qa = label_answer(offsets, answer, LabelRule::kRunQa);
    const bool covered =
        n > 0 && offsets.front().start <= answer.start && offsets.back().end >= answer.end;
    ASSERT_EQ(run_qa.has_value(), covered);
    if (covered) {
      int32_t s = 0, e = n - 1;
      while (s < n && offsets[static_cast<size_t>(s)].start <= answer.start) ++s;
      while (e >= 0 && offsets[static_cast<size_t>(e)].end >= answer.end) --e;
      ASSERT_EQ(*run_qa, (LabelSpan{s - 1, e + 1}));
    }
  }
}

TEST(FeatureSet, CountsAnswersWhoseEdgesNoTokenHolds) {
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
  const Dataset none = make_dataset("city", "who?");
  const LabelRow empty =
      label_row(none, FeatureSet::build(none, tokenizer, make_options(16, 2)), tokenizer, 0);
  EXPECT_EQ(empty.answer + empty.decoded + empty.source, "");
}

Dataset random_dataset(int examples) {
  CounterStream random(testing::test_seed());
  Dataset dataset;
  for (int i = 0; i < 50; ++i)
    dataset.contexts.push_back(words(static_cast<int>(random.next_below(90))));
  for (int i = 0; i < examples; ++i) {
    Example example;
    example.id = std::to_string(i);
    example.question = words(static_cast<int>(random.next_below(6)));
    example.context = random.next_below(50);
    const std::string& context = dataset.contexts[example.context];
    if (context.size() > 10) {
      const size_t start = random.next_below(context.size() / 3) * 3;
      example.answers = {
          {context.substr(start, 2 + 3 * random.next_below(4)), static_cast<int64_t>(start)}};
    }
    dataset.examples.push_back(example);
  }
  return dataset;
}

TEST(FeatureSet, DoesNotDependOnThreadsAndTellsProgressToTheEnd) {
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
  EXPECT_EQ(calls.back(), (std::pair<int64_t, int64_t>(10000, 10000)));
  EXPECT_EQ(std::count(calls.begin(), calls.end(), calls.back()), 2);  // once a build
}

void expect_equal_windows(const FeatureSet& whole, const Window& a, const FeatureSet& part,
                          const Window& b) {
  EXPECT_EQ(a.example, b.example);
  EXPECT_EQ(a.index, b.index);
  EXPECT_EQ(a.context, b.context);
  EXPECT_EQ(a.labelled, b.labelled);
  EXPECT_EQ(a.start_position, b.start_position);
  EXPECT_EQ(a.end_position, b.end_position);
  EXPECT_TRUE(std::ranges::equal(whole.input_ids(a), part.input_ids(b)));
  EXPECT_TRUE(std::ranges::equal(whole.token_type_ids(a), part.token_type_ids(b)));
  EXPECT_TRUE(std::ranges::equal(whole.offsets(a), part.offsets(b)));
  EXPECT_TRUE(std::ranges::equal(whole.word_ids(a), part.word_ids(b)));
}

TEST(FeatureStream, ItsChunksAreTheWholeSet) {
  const Tokenizer tokenizer = make_tokenizer();
  Dataset dataset = random_dataset(300);
  dataset.examples[7].answers = {{"nowhere", 0}};
  FeatureOptions options = make_options(24, 7);
  options.on_bad_answer = BadAnswerPolicy::kDrop;
  const FeatureSet whole = FeatureSet::build(dataset, tokenizer, options);
  for (const int64_t tokens : {int64_t{1}, int64_t{100}, int64_t{5000}, whole.token_count() + 1}) {
    SCOPED_TRACE(tokens);
    FeatureStream stream(dataset, tokenizer, options);
    size_t window = 0, example = 0;
    LabelCounts counts;
    while (const std::optional<FeatureSet> chunk = stream.next(tokens)) {
      ASSERT_EQ(chunk->first_example(), example);
      for (size_t i = 0; i < chunk->example_count(); ++i, ++example) {
        const auto [first, last] = chunk->windows_of(example);
        const auto [whole_first, whole_last] = whole.windows_of(example);
        ASSERT_EQ(last - first, whole_last - whole_first);
        ASSERT_EQ(example == 7, first == last);
      }
      for (const Window& w : chunk->windows()) {
        expect_equal_windows(whole, whole.windows()[window++], *chunk, w);
      }
      const bool last = example == dataset.examples.size();
      EXPECT_TRUE(last || chunk->token_count() >= tokens);
      EXPECT_LT(chunk->token_count(), tokens + 3000) << "a chunk ends with an example";
      counts += chunk->label_counts();
    }
    EXPECT_EQ(window, whole.size());
    EXPECT_EQ(example, dataset.examples.size());
    EXPECT_EQ(label_summary(counts, static_cast<int64_t>(window), options.windows),
              label_summary(whole));
  }
}

TEST(FeatureChunks, VisitsTheSameChunksAgainAndKeepsASingleOne) {
  const Tokenizer tokenizer = make_tokenizer();
  const Dataset dataset = random_dataset(300);
  const FeatureOptions options = make_options(24, 7);
  const FeatureSet whole = FeatureSet::build(dataset, tokenizer, options);
  for (const int64_t tokens : {int64_t{2000}, whole.token_count() + 1}) {
    const FeatureChunks chunks(dataset, tokenizer, options, tokens);
    EXPECT_EQ(chunks.window_count(), static_cast<int64_t>(whole.size()));
    EXPECT_EQ(chunks.example_count(), dataset.examples.size());
    EXPECT_EQ(chunks.only() != nullptr, tokens > whole.token_count());
    for (int pass = 0; pass < 2; ++pass) {
      size_t window = 0, visited = 0;
      chunks.for_each(dataset, tokenizer, [&](const FeatureSet& chunk) {
        ++visited;
        for (const Window& w : chunk.windows()) {
          expect_equal_windows(whole, whole.windows()[window++], chunk, w);
        }
      });
      EXPECT_EQ(window, whole.size());
      EXPECT_EQ(visited == 1, chunks.only() != nullptr);
    }
  }
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

TEST(RequireSoundAnswers, SaysWhatBuildingSays) {
  const Tokenizer tokenizer = make_tokenizer();
  Dataset dataset = random_dataset(200);
  require_sound_answers(dataset);
  dataset.examples[150].answers = {{"nowhere", 0}};
  dataset.examples[120].answers = {{"nowhere", 2}};
  const Error building = expect_error(ErrorCode::kBadData, [&] {
    FeatureSet::build(dataset, tokenizer, make_options(24, 7));
  });
  const Error asked =
      expect_error(ErrorCode::kBadData, [&] { require_sound_answers(dataset); });
  EXPECT_STREQ(asked.what(), building.what());
  EXPECT_NE(asked.place().find("120"), std::string::npos) << asked.place();
}

TEST(PackWindows, PutsWindowsEndToEnd) {
  const Tokenizer tokenizer = make_tokenizer();
  const FeatureSet set = FeatureSet::build(random_dataset(40), tokenizer, make_options(24, 7));
  ASSERT_GT(set.size(), 5u);
  PackedBatch batch;
  pack_windows(set, std::vector<int32_t>{0, 1}, batch);
  const std::vector<int32_t> order = {3, 0, static_cast<int32_t>(set.size()) - 1};
  pack_windows(set, order, batch);  // reused
  EXPECT_EQ(batch.window_count(), 3);
  EXPECT_EQ(batch.window_ids, order);
  ASSERT_EQ(batch.cu_seqlens.size(), 4u);
  EXPECT_EQ(batch.cu_seqlens.back(), batch.token_count());
  EXPECT_EQ(batch.position_ids.size(), batch.input_ids.size());
  EXPECT_EQ(batch.token_type_ids.size(), batch.input_ids.size());
  int32_t longest = 0;
  for (size_t k = 0; k < order.size(); ++k) {
    const Window& w = set.windows()[static_cast<size_t>(order[k])];
    longest = std::max(longest, w.length);
    ASSERT_EQ(batch.cu_seqlens[k + 1] - batch.cu_seqlens[k], w.length);
    for (int32_t t = 0; t < w.length; ++t) {
      const auto at = static_cast<size_t>(batch.cu_seqlens[k] + t);
      EXPECT_EQ(batch.input_ids[at], set.input_ids(w)[static_cast<size_t>(t)]);
      EXPECT_EQ(batch.token_type_ids[at], set.token_type_ids(w)[static_cast<size_t>(t)]);
      EXPECT_EQ(batch.position_ids[at], t);
    }
    EXPECT_EQ(batch.start_positions[k], w.start_position);
    EXPECT_EQ(batch.end_positions[k], w.end_position);
  }
  EXPECT_EQ(batch.longest(), longest);
  pack_windows(set, {}, batch);
  EXPECT_EQ(batch.window_count(), 0);
  EXPECT_EQ(batch.longest(), 0);
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

struct WindowCase {
  std::string name, context, question;
  std::vector<Answer> answers;
  std::string fault;  // "": none
};

TEST(CheckWindows, FindsWhatHasNoRoom) {
  const Tokenizer tokenizer = make_tokenizer();
  // Windows of 12 tokens, of which a question of one leaves 8, and 4 overlap: [0, 8), [4, 12) ...
  const std::vector<WindowCase> cases = {
      {"fits", words(20), "who", {{"w1 w2", 3}}, ""},
      {"fits the second window", words(20), "who", {{"w7 w8", 21}}, ""},
      {"as long as a window's context", words(20), "who", {{words(8), 0}}, ""},
      {"longer", words(20), "who", {{words(9), 0}}, "answer_cut"},
      {"across the edges", words(20), "who", {{"w3 w4 w5 w6 w7 w8", 9}}, "answer_cut"},
      {"longer, in a context of one window", words(8), "who", {{words(8), 0}}, ""},
      {"in white space", words(20), "who", {{"w1 ", 3}}, "answer_without_token"},
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

// What training counts and refuses is what the check finds.
TEST(CheckWindows, AgreesWithTheFeatures) {
  const Tokenizer tokenizer = make_tokenizer();
  CounterStream random(testing::test_seed());
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
      EXPECT_EQ(set.label_counts().truncated, static_cast<int64_t>(findings.size()));
      EXPECT_EQ(
          set.label_counts().edges_outside,
          std::ranges::count(findings, WindowFault::kAnswerWithoutToken, &WindowFinding::fault));
    } catch (const Error&) {
      ASSERT_EQ(findings.size(), 1u);
      EXPECT_EQ(findings[0].fault, WindowFault::kQuestionTooLong);
    }
  }
}

}  // namespace
}  // namespace spanforge
