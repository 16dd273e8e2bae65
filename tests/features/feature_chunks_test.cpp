#include "spanforge/features/feature_chunks.h"

#include <algorithm>

#include "features/fixture.h"
#include "spanforge/features/summary.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::make_options;
using testing::make_tokenizer;
using testing::random_dataset;

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

TEST(FeatureStream, ItsChunksEqualTheWholeSet) {
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

}  // namespace
}  // namespace spanforge
