#include "spanforge/evaluation/predict.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "evaluation/numbered_words.h"
#include "spanforge/base/random.h"
#include "spanforge/data/dataset.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::kWords;
using testing::random_text;
using testing::word;

class PredictAll : public ::testing::Test {
 protected:
  PredictAll() : tokenizer_(make_tokenizer()), features_(make_features(tokenizer_)) {}

  static Tokenizer make_tokenizer() {
    std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 0; i < kWords; ++i) vocabulary.push_back(word(i));
    return Tokenizer::from_vocabulary(vocabulary, {}, "vocab");
  }

  static FeatureSet make_features(const Tokenizer& tokenizer) {
    CounterStream stream(4);
    Dataset dataset;
    for (size_t i = 0; i < 9; ++i) {
      const std::string context = random_text(stream, 1 + stream.next_below(60));
      dataset.contexts.push_back(context);
      const std::string answer = context.substr(0, context.find(' '));
      dataset.examples.push_back({.id = std::to_string(i),
                                  .question = random_text(stream, 1 + stream.next_below(4)),
                                  .context = i,
                                  .answers = {{answer, 0}}});
    }
    return FeatureSet::build(dataset, tokenizer,
                             {.windows = {.max_seq_length = 24, .window_overlap = 8}});
  }

  static QuestionAnsweringModel make_model() {
    ModelConfig config;
    config.vocab_size = kWords + 5;
    config.hidden_size = 16;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 24;
    config.max_position_embeddings = 24;
    config.initializer_range = 0.3;
    return QuestionAnsweringModel::create(config, 3);
  }

  Tokenizer tokenizer_;
  FeatureSet features_;
  QuestionAnsweringModel model_ = make_model();
};

TEST_F(PredictAll, EqualsEveryWindowAloneWhateverTheBatches) {
  ASSERT_GT(features_.size(), 12u);  // long contexts have several windows
  std::vector<float> start(features_.token_count()), end(start);
  Workspace workspace;
  PackedBatch batch;
  for (int32_t w = 0; w < static_cast<int32_t>(features_.size()); ++w) {
    const Window& window = features_.windows()[w];
    pack_windows(features_, std::span(&w, 1), batch);
    std::vector<float> logits(2 * window.length);
    model_.predict(batch, workspace, make_tensor(logits.data(), window.length, 2));
    for (int32_t t = 0; t < window.length; ++t) {
      start[window.first_token + t] = logits[2 * t];
      end[window.first_token + t] = logits[2 * t + 1];
    }
  }
  struct Row {
    int32_t batch_size, max_batch_tokens;
    int64_t batches;  // -1: not counted
  };
  const auto windows = static_cast<int64_t>(features_.size());
  for (const Row& row : {Row{1, 10000, windows}, Row{4, 10000, (windows + 3) / 4},
                         Row{64, 10000, 1}, Row{64, 1, windows}, Row{64, 50, -1}}) {
    SCOPED_TRACE(std::to_string(row.batch_size) + ", " + std::to_string(row.max_batch_tokens));
    std::vector<std::pair<int64_t, int64_t>> calls;
    const Predictions found = predict_all(model_, features_,
                                          {.batch_size = row.batch_size,
                                           .max_batch_tokens = row.max_batch_tokens,
                                           .progress = [&](int64_t done, int64_t all) {
                                             calls.push_back({done, all});
                                           }});
    for (size_t i = 0; i < start.size(); ++i) {
      ASSERT_NEAR(found.logits.start[i], start[i], 1e-5);
      ASSERT_NEAR(found.logits.end[i], end[i], 1e-5);
    }
    ASSERT_FALSE(calls.empty());
    if (row.batches >= 0) {
      EXPECT_EQ(static_cast<int64_t>(calls.size()), row.batches);
    }
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_EQ(calls[i], (std::pair<int64_t, int64_t>(i + 1, calls.size())));
    }
    EXPECT_TRUE(found.window_losses.empty());
  }
}

TEST_F(PredictAll, LossesAreThoseOfEachWindowsOwnTokens) {
  const Predictions found = predict_all(model_, features_, {.batch_size = 5, .with_losses = true});
  ASSERT_EQ(found.window_losses.size(), features_.size());
  const auto cross_entropy = [](std::span<const float> logits, int32_t gold) {
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    return std::log(sum) - logits[gold];
  };
  for (size_t w = 0; w < features_.size(); ++w) {
    const Window& window = features_.windows()[w];
    const double loss = (cross_entropy(found.logits.start_of(window), window.start_position) +
                         cross_entropy(found.logits.end_of(window), window.end_position)) /
                        2;
    EXPECT_NEAR(found.window_losses[w], loss, 1e-5) << w;
  }
}

TEST_F(PredictAll, NoWindowsGiveNothing) {
  const Predictions found = predict_all(model_, FeatureSet(), {.with_losses = true});
  EXPECT_TRUE(found.logits.start.empty());
  EXPECT_TRUE(found.window_losses.empty());
}

TEST_F(PredictAll, NonFiniteLogitsAreAnError) {
  model_.all_weights().as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  const Error error =
      testing::expect_error(ErrorCode::kNonFinite, [&] { predict_all(model_, features_, {}); });
  EXPECT_NE(error.reason().find("window"), std::string::npos);
}

TEST_F(PredictAll, BatchesMustHoldSomething) {
  testing::expect_error(ErrorCode::kUsage,
                        [&] { predict_all(model_, features_, {.batch_size = 0}); });
}

}  // namespace
}  // namespace spanforge
