#include "spanforge/data/stats.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "spanforge/base/random.h"
#include "spanforge/data/baseline.h"
#include "spanforge/data/check.h"
#include "spanforge/data/question_form.h"
#include "spanforge/data/show.h"
#include "spanforge/data/split.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

Dataset make_dataset(const std::vector<std::tuple<std::string, std::string, std::string>>& rows) {
  Dataset dataset;
  dataset.file = "set.json";
  for (const auto& [context, question, answer] : rows) {
    const auto known = std::find(dataset.contexts.begin(), dataset.contexts.end(), context);
    Example example;
    example.context = static_cast<size_t>(known - dataset.contexts.begin());
    if (known == dataset.contexts.end()) dataset.contexts.push_back(context);
    example.id = "q" + std::to_string(dataset.examples.size());
    example.title = "t";
    example.question = question;
    if (!answer.empty()) {
      const auto at = static_cast<std::string_view>(context).substr(0, context.find(answer));
      example.answers = {{answer, static_cast<int64_t>(count_code_points(at))}};
    }
    dataset.examples.push_back(example);
  }
  return dataset;
}

TEST(QuestionForm, FollowsTheInterrogative) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"Who sings?", "who"},
      {"To whom did Ann write?", "who"},
      {"In what country is it?", "what"},
      {"HOW MANY apples?", "how many"},
      {"how much is it", "how many"},
      {"How long did it take?", "how long"},
      {"How old is Ann?", "how old"},
      {"Since then, how often?", "how often"},
      {"How did Ann feel?", "how"},
      {"Since when?", "when"},
      {"Why?", "why"},
      {"Which one?", "which"},
      {"Is it true?", "yes/no"},
      {"The whole whatnot", "other"},
      {"", "other"},
      {"谁在唱歌？", "谁"},
      {"安娜在什么地方？", "哪里"},
      {"為什麼下雨？", "为什么"},
      {"什么时候开始？", "什么时候"},
      {"買了幾本書？", "多少"},
      {"怎么去？", "怎么"},
      {"如何去？", "怎么"},
      {"哪一種語言？", "哪个"},
      {"他买了什么？", "什么"},
      {"这是真的吗？", "是否"},
      {"唱歌的人", "其他"},
  };
  for (const auto& [question, form] : cases) {
    EXPECT_EQ(question_form(question), form) << question;
  }
}

TEST(SummarizeLengths, UsesNearestRanks) {
  std::vector<int64_t> lengths;
  for (int i = 1; i <= 100; ++i) lengths.push_back(101 - i);
  const LengthSummary summary = summarize_lengths(lengths);
  EXPECT_EQ(summary.min, 1);
  EXPECT_EQ(summary.median, 50);
  EXPECT_EQ(summary.p95, 95);
  EXPECT_EQ(summary.max, 100);
  EXPECT_DOUBLE_EQ(summary.mean, 50.5);
  EXPECT_EQ(summarize_lengths({7}).median, 7);
  EXPECT_EQ(summarize_lengths({}).count, 0);
}

TEST(ComputeStats, CountsCharactersTokensAndForms) {
  const Dataset dataset = make_dataset(
      {{"安娜 sings", "谁?", "安娜"}, {"安娜 sings", "谁?", ""}, {"Bo", "Who reads?", "Bo"}});
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(
      {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "bo"}, {}, "test vocabulary");
  const DataStats stats = compute_stats(dataset, &tokenizer);
  EXPECT_EQ(stats.questions, 3);
  EXPECT_EQ(stats.distinct_questions, 2);
  EXPECT_EQ(stats.distinct_contexts, 2);
  EXPECT_EQ(stats.answers, 2);
  EXPECT_EQ(stats.without_answer, 1);
  EXPECT_NEAR(stats.without_answer_share(), 1.0 / 3, 1e-12);
  EXPECT_EQ(stats.characters.contexts.max, 8);
  ASSERT_TRUE(stats.tokens.has_value());
  EXPECT_EQ(stats.tokens->contexts.max, 3);
  ASSERT_EQ(stats.forms.size(), 2u);
  EXPECT_EQ(stats.forms[0].form, "谁");
  EXPECT_EQ(stats.forms[0].questions, 2);
  const Json json = stats_to_json(stats);
  EXPECT_EQ(json["question_forms"]["谁"], 2);
  EXPECT_EQ(json["tokens"]["contexts"]["max"], 3);
  EXPECT_FALSE(stats_to_json(compute_stats(dataset)).contains("tokens"));
  EXPECT_NE(stats_to_text(stats).find("3 questions (2 distinct), 2 contexts"), std::string::npos);
}

std::set<std::string> ids_of(const Dataset& dataset) {
  std::set<std::string> ids;
  for (const Example& example : dataset.examples) ids.insert(example.id);
  return ids;
}

Dataset make_many(int contexts) {
  std::vector<std::tuple<std::string, std::string, std::string>> rows;
  for (int c = 0; c < contexts; ++c) {
    for (int q = 0; q <= c % 4; ++q) {
      rows.emplace_back("context " + std::to_string(c), "q" + std::to_string(q), "");
    }
  }
  return make_dataset(rows);
}

TEST(SplitByContext, IsDisjointCompleteAndNearTheShare) {
  const Dataset dataset = make_many(400);
  for (const double share : {0.01, 0.1, 0.5, 0.9}) {
    const SplitResult split = split_by_context(dataset, {share, 7});
    EXPECT_EQ(find_overlap(split.train, split.validation).exact.contexts, 0);
    EXPECT_EQ(split.train.examples.size() + split.validation.examples.size(),
              dataset.examples.size());
    EXPECT_NEAR(static_cast<double>(split.validation.examples.size()),
                share * static_cast<double>(dataset.examples.size()), 2.0);
    EXPECT_TRUE(std::is_sorted(split.train.examples.begin(), split.train.examples.end(),
                               [](const Example& a, const Example& b) {
                                 return std::stoi(a.id.substr(1)) < std::stoi(b.id.substr(1));
                               }));
  }
}

TEST(SplitByContext, DependsOnSeedButNotOnRowOrder) {
  const Dataset dataset = make_many(60);
  Dataset shuffled = dataset;
  const auto order = counter_permutation(static_cast<int64_t>(dataset.examples.size()), 5);
  for (size_t i = 0; i < order.size(); ++i) {
    shuffled.examples[i] = dataset.examples[static_cast<size_t>(order[i])];
  }
  const auto first = ids_of(split_by_context(dataset, {0.2, 1}).validation);
  EXPECT_EQ(first, ids_of(split_by_context(shuffled, {0.2, 1}).validation));
  EXPECT_NE(first, ids_of(split_by_context(dataset, {0.2, 2}).validation));
}

TEST(SplitByContext, KeepsContextsThatNormaliseAlikeTogether) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const SplitResult split = split_by_context(
        make_dataset({{"One.", "a", ""}, {"one", "b", ""}, {"Two", "c", ""}}), {0.4, seed});
    EXPECT_FALSE(find_overlap(split.train, split.validation).normalized.contexts > 0);
    EXPECT_FALSE(split.train.examples.empty());
    EXPECT_FALSE(split.validation.examples.empty());
  }
}

TEST(SplitByContext, RefusesDataThatCannotBeSplit) {
  const Dataset one = make_dataset({{"One", "a", ""}, {"One", "b", ""}});
  EXPECT_EQ(expect_error(ErrorCode::kBadData,
                         [&] {
                           split_by_context(one, {0.5, 1});
                         })
                .place()
                .text(),
            "set.json");
  for (const double share : {0.0, 1.0, -0.1, std::nan("")}) {
    expect_error(ErrorCode::kUsage, [&] { split_by_context(make_many(4), {share, 1}); });
  }
}

TEST(ShowDatasets, PrintsSplitsAsTheRecipeDoes) {
  const Dataset train = make_dataset({{"Ann's here", "Who?", "Ann"}, {"Ann's here", "Why?", ""}});
  const Dataset validation = make_dataset({{"空", "谁？", "空"}});
  EXPECT_EQ(show_datasets({{"train", &train}, {"validation", &validation}}, 1),
            R"(DatasetDict({
    train: Dataset({
        features: ['id', 'title', 'context', 'question', 'answers'],
        num_rows: 2
    })
    validation: Dataset({
        features: ['id', 'title', 'context', 'question', 'answers'],
        num_rows: 1
    })
})

# train
{'id': 'q0', 'title': 't', 'context': "Ann's here", 'question': 'Who?', 'answers': [{'text': 'Ann', 'answer_start': 0}]}

# validation
{'id': 'q0', 'title': 't', 'context': '空', 'question': '谁？', 'answers': [{'text': '空', 'answer_start': 0}]}
)");
  const std::string all = show_datasets({{"train", &train}}, -1);
  EXPECT_NE(all.find("'Why?', 'answers': []}"), std::string::npos);
}

TEST(OverlapBaseline, AnswersWithTheRestOfTheClause) {
  const Dataset dataset = make_dataset({{"早上，李明在河边钓鱼。王芳在家。", "谁在河边钓鱼？", ""},
                                        {"Ann bought two apples. Bo slept.", "What did Bo do?", ""},
                                        {"甲乙", "丙？", ""}});
  EXPECT_EQ(overlap_baseline(dataset), (std::vector<std::string>{"李明", "slept", ""}));
}

TEST(FrequencyBaseline, AnswersWithTheMostFrequentAnswerOfTheForm) {
  const Dataset train = make_dataset({{"Ann Bo", "Who?", "Bo"},
                                      {"Ann Bo", "Who is it?", "Bo"},
                                      {"Ann Bo", "Who was it?", "Ann"},
                                      {"Ann Bo", "Why?", ""}});
  const Dataset asked = make_dataset({{"Ann and Bo", "Who?", ""},
                                      {"Ann and Cy", "Who?", ""},
                                      {"Cy", "Who?", ""},
                                      {"Ann", "Why?", ""},
                                      {"Ann", "When?", ""}});
  EXPECT_EQ(frequency_baseline(train, asked), (std::vector<std::string>{"Bo", "Ann", "", "", ""}));
}

}  // namespace
}  // namespace spanforge
