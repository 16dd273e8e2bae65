// An evaluation in many chunks gives the same as one over everything, to the last bit, if a
// window's logits are the same in every batch (OneByOne).
#include <gtest/gtest.h>

#include "evaluation/numbered_words.h"
#include "spanforge/base/random.h"
#include "spanforge/evaluation/analysis.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/evaluation/prediction_files.h"
#include "spanforge/io/file.h"
#include "spanforge/metrics/metric.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::kWords;
using testing::random_text;
using testing::word;

// Gives each window's logits as if it were alone. A matrix product's last bits may depend on the
// number of its rows (oneDNN's do on AVX2), and chunks make other batches; this test is not about
// that.
class OneByOne : public Predictor {
 public:
  explicit OneByOne(QuestionAnsweringModel model) : model_(std::move(model)) {}
  const ModelConfig& config() const override { return model_.config(); }
  void predict(const PackedBatch& batch, Workspace& workspace,
               const Tensor& logits) const override {
    for (int32_t w = 0; w < batch.window_count(); ++w) {
      const int32_t first = batch.cu_seqlens[w], length = batch.cu_seqlens[w + 1] - first;
      const auto own = [&](const std::vector<int32_t>& all) {
        return std::vector<int32_t>(all.begin() + first, all.begin() + first + length);
      };
      const PackedBatch alone = {.input_ids = own(batch.input_ids),
                                 .token_type_ids = own(batch.token_type_ids),
                                 .position_ids = own(batch.position_ids),
                                 .cu_seqlens = {0, length},
                                 .window_ids = {batch.window_ids[w]},
                                 .start_positions = {batch.start_positions[w]},
                                 .end_positions = {batch.end_positions[w]}};
      model_.predict(alone, workspace, logits.row_range(first, length));
    }
  }

 private:
  QuestionAnsweringModel model_;
};

class Chunks : public ::testing::Test {
 protected:
  Chunks() {
    CounterStream stream(9);
    dataset_.file = "made.json";
    for (size_t i = 0; i < 70; ++i) {
      const std::string context = random_text(stream, 1 + stream.next_below(50));
      if (i % 2 == 0) dataset_.contexts.push_back(context);
      Example example;
      example.id = "q" + std::to_string(i);
      example.question = random_text(stream, 1 + stream.next_below(4));
      example.context = i / 2;
      const std::string& asked = dataset_.contexts.back();
      if (i % 5 != 4) example.answers = {{asked.substr(0, asked.find(' ')), 0}};
      dataset_.examples.push_back(example);
    }
    options_.windows = {.max_seq_length = 24, .window_overlap = 8};
    evaluation_.predict.batch_size = 4;
    evaluation_.predict.with_losses = true;
    evaluation_.more_metrics = chosen_metrics("all");
    settings_.windows = options_.windows;
    settings_.decoder.null_answers = true;
  }

  static Tokenizer make_tokenizer() {
    std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (int i = 0; i < kWords; ++i) vocabulary.push_back(word(i));
    return Tokenizer::from_vocabulary(vocabulary, {}, "vocab");
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

  FeatureChunks chunks(int64_t tokens) const {
    return FeatureChunks(dataset_, tokenizer_, options_, tokens);
  }

  static Json described(const Evaluation& e) {
    Json ranks = Json::array();
    for (const QaRank& r : e.ranks) {
      ranks.push_back({r.rank, r.score, r.text, r.top1_score, r.top1_text});
    }
    return {{"loss", e.loss.value_or(-1)},
            {"windows", e.window_count},
            {"scores", metric_values_json(e.values)},
            {"recall", e.qa_topk_recall},
            {"temperature", e.temperature},
            {"threshold", e.null_threshold},
            {"ranks", ranks}};
  }

  Dataset dataset_;
  Tokenizer tokenizer_ = make_tokenizer();
  OneByOne model_{make_model()};
  FeatureOptions options_;
  EvaluationOptions evaluation_;
  AnswerSettings settings_;
};

TEST_F(Chunks, EvaluateGivesTheSameScoresAndFiles) {
  const testing::TemporaryDirectory directory;
  const auto run = [&](int64_t tokens) {
    const FeatureChunks parts = chunks(tokens);
    FileGroup group(directory / std::to_string(tokens));
    PredictionFiles files(group);
    Analysis analysis;
    std::vector<std::pair<int64_t, int64_t>> progress;
    EvaluationOptions options = evaluation_;
    options.decoder = settings_.decoder;
    options.progress = [&](int64_t done, int64_t all) { progress.emplace_back(done, all); };
    options.on_answers = [&](const JudgedAnswers& answers) {
      files.add(dataset_, answers);
      analyse(dataset_, answers, {}, analysis);
    };
    const Evaluation e = evaluate(model_, {dataset_, tokenizer_, parts}, options);
    files.finish();
    group.commit();
    write_analysis(dataset_, analysis,
                   AtomicFile(directory / std::to_string(tokens) / "eval_analysis.json"));
    EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
    EXPECT_EQ(progress.front(), (std::pair<int64_t, int64_t>(0, 70))) << "the work begins";
    EXPECT_EQ(progress.back(), (std::pair<int64_t, int64_t>(70, 70)));
    return described(e);
  };
  const Json whole = run(1 << 20);
  EXPECT_EQ(whole["scores"]["total"].get<int>(), 70);
  for (const int64_t tokens : {1, 200, 1500}) {
    SCOPED_TRACE(tokens);
    ASSERT_EQ(chunks(tokens).only(), nullptr);
    EXPECT_EQ(run(tokens), whole);
    for (const char* name :
         {"predictions", "nbest_predictions", "null_odds", "qa_topk", "analysis"}) {
      const std::string file = std::string("eval_") + name + ".json";
      EXPECT_EQ(read_file(directory / std::to_string(tokens) / file),
                read_file(directory / std::to_string(1 << 20) / file))
          << file;
    }
  }
}

TEST_F(Chunks, FittingChoosesTheSameSettings) {
  const auto run = [&](int64_t tokens) {
    const FeatureChunks parts = chunks(tokens);
    EvaluationOptions options = evaluation_;
    options.fit = true;
    options.decoder = settings_.decoder;
    return described(evaluate(model_, {dataset_, tokenizer_, parts}, options));
  };
  for (const bool null_answers : {true, false}) {
    settings_.decoder.null_answers = null_answers;
    const Json whole = run(1 << 20);
    EXPECT_NE(whole["temperature"].get<double>(), 1.0);
    EXPECT_EQ(whole["threshold"].get<double>() != 0.0, null_answers);
    for (const int64_t tokens : {1, 200, 1500}) EXPECT_EQ(run(tokens), whole) << tokens;
  }
}

// A fitting evaluation gives the same results as one with the settings that it found.
TEST_F(Chunks, FittedScoresAreThoseUnderTheFittedSettings) {
  const FeatureChunks parts = chunks(500);
  const EvaluationData data{dataset_, tokenizer_, parts};
  EvaluationOptions options = evaluation_;
  options.decoder = settings_.decoder;
  options.fit = true;
  const Evaluation fitted = evaluate(model_, data, options);
  EXPECT_NE(fitted.temperature, 1.0);
  EXPECT_NE(fitted.null_threshold, 0.0);
  options.fit = false;
  options.decoder.temperature = fitted.temperature;
  options.decoder.null_threshold = fitted.null_threshold;
  EXPECT_EQ(described(evaluate(model_, data, options)), described(fitted));
}

}  // namespace
}  // namespace spanforge
