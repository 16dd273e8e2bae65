// The engine's passes: gradients, dropout, accumulation, precision.

#include <algorithm>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>

#include "model_testing.h"
#include "spanforge/base/random.h"
#include "spanforge/base/threads.h"
#include "spanforge/model/encoder_spec.h"
#include "spanforge/model/model.h"
#include "spanforge/model/model_info.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::copy_of;
using testing::pack;
using testing::random_model;
using testing::random_windows;
using testing::relative_distance;
using testing::small_config;

ModelConfig dropout_config(const std::string& model_type = "bert") {
  ModelConfig config = small_config(model_type);
  config.hidden_dropout_prob = 0.2;
  config.attention_probs_dropout_prob = 0.3;
  config.head_dropout_prob = 0.25;
  config.embedding_dropout_prob = 0.15;
  return config;
}

struct Step {
  std::vector<double> losses;
  std::vector<float> gradients;
};

Step train_step(QuestionAnsweringModel& model, const std::vector<PackedBatch>& batches,
                const DropoutSeeds& seeds = {7, 3}) {
  model.prepare_training();
  Workspace workspace;
  Step step;
  for (const PackedBatch& batch : batches) {
    std::vector<double> losses;
    const double sum =
        model.forward_backward(batch, {.seeds = seeds, .window_losses = &losses}, workspace);
    double total = 0;
    for (const double loss : losses) total += loss;
    EXPECT_NEAR(sum, total, 1e-9 * std::abs(sum));
    step.losses.insert(step.losses.end(), losses.begin(), losses.end());
  }
  step.gradients = copy_of(model.all_gradients());
  return step;
}

// d loss / d weights along random directions, per parameter, compared with central differences.
// With dropout, too: masks are pure functions, so the differences see the same masks.
void check_finite_differences(const ModelConfig& config, double tolerance,
                              const Learning& learning) {
  QuestionAnsweringModel model = random_model(config, 5, learning);
  const PackedBatch batch = pack(random_windows(config, {11, 3, 20}, 9));
  const Step step = train_step(model, {batch});
  Workspace workspace;
  const auto loss = [&] {
    return model.forward_backward(batch, {.seeds = {7, 3}, .gradient_scale = 0}, workspace);
  };
  CounterStream stream(testing::test_seed());
  double scale = 0;
  int checked = 0;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.trainable) continue;
    SCOPED_TRACE(parameter.name);
    ++checked;
    const Tensor w = model.weights(parameter);
    const std::vector<float> kept = copy_of(make_tensor(w.as<float>(), 1, w.size()));
    // Along the gradient itself, with a quarter of its signs flipped at random: large enough to
    // exceed f32 rounding, general enough to notice a wrong element.
    std::vector<double> direction(kept.size());
    double length = 0, predicted = 0;
    for (size_t i = 0; i < kept.size(); ++i) {
      const double g = step.gradients[parameter.offset + i];
      direction[i] = stream.next_below(4) == 0 ? -g : g;
      length += g * g;
    }
    length = std::sqrt(length);
    scale = std::max(scale, length);
    if (length < 1e-5 * scale) continue;  // zero by algebra: key biases, the last shifts
    const double h = 3e-3;
    double difference = 0;
    for (const double sign : {1.0, -1.0}) {
      for (size_t i = 0; i < kept.size(); ++i) {
        w.as<float>()[i] = static_cast<float>(kept[i] + sign * h * direction[i] / length);
      }
      difference += sign * loss();
    }
    for (size_t i = 0; i < kept.size(); ++i) {
      predicted += step.gradients[parameter.offset + i] * direction[i] / length;
      w.as<float>()[i] = kept[i];
    }
    EXPECT_NEAR(difference / (2 * h), predicted, tolerance * length);
  }
  EXPECT_GT(checked, 3);
}

class LearningFamily : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Gradients, LearningFamily, ::testing::ValuesIn(testing::model_kinds()),
                         [](const auto& kind) { return testing::test_name(kind.param); });

TEST_P(LearningFamily, AgreesWithFiniteDifferences) {
  check_finite_differences(small_config(GetParam()), 2e-2, Learning{});
}
// Biases that models of some families may lack.
TEST(Gradients, OfOptionalBiasesAgreeWithFiniteDifferences) {
  ModelConfig config = dropout_config("modernbert");
  config.norm_bias = config.attention_bias = config.mlp_bias = config.head_bias = true;
  check_finite_differences(config, 2e-2, Learning{});
}

TEST_P(LearningFamily, AgreesWithFiniteDifferencesUnderDropout) {
  check_finite_differences(dropout_config(GetParam()), 2e-2, Learning{});
}

Learning lora(std::vector<std::string> targets, double dropout = 0) {
  return {.lora = {.rank = 3, .alpha = 6, .dropout = dropout, .targets = std::move(targets)}};
}

TEST_P(LearningFamily, AdaptersAgreeWithFiniteDifferences) {
  check_finite_differences(small_config(GetParam()), 2e-2, lora({}));
  check_finite_differences(dropout_config(GetParam()), 2e-2, lora({"all-linear"}, 0.3));
}

// With some parts frozen, the others have the same gradients as without freezing.
TEST_P(LearningFamily, FrozenPartsLeaveTheOtherGradientsAsTheyAre) {
  ModelConfig config = dropout_config(GetParam());
  config.num_hidden_groups = config.num_hidden_layers;  // so that a single layer can be frozen
  const PackedBatch batch = pack(random_windows(config, {11, 3, 20}, 9));
  QuestionAnsweringModel whole = random_model(config, 5);
  const Step all = train_step(whole, {batch, batch});
  const Learning rows[] = {{.embeddings = false},
                           {.frozen_layers = {{0, 0}}},
                           {.frozen_layers = {{1, 1}}},
                           {.embeddings = false, .frozen_layers = {{0, 0}}},
                           {.embeddings = false, .frozen_layers = {{0, 1}}}};
  size_t least = all.gradients.size();
  for (const Learning& learning : rows) {
    QuestionAnsweringModel model = random_model(config, 5, learning);
    const Step some = train_step(model, {batch, batch});
    EXPECT_EQ(some.losses, all.losses);
    EXPECT_LT(some.gradients.size(), all.gradients.size());
    least = std::min(least, some.gradients.size());
    size_t compared = 0;
    for (const Parameter& parameter : model.parameters()) {
      EXPECT_EQ(parameter.trainable,
                parameter.offset < static_cast<int64_t>(some.gradients.size()));
      if (!parameter.trainable) continue;
      const Parameter& same =
          *std::find_if(whole.parameters().begin(), whole.parameters().end(),
                        [&](const Parameter& other) { return other.name == parameter.name; });
      EXPECT_TRUE(std::equal(some.gradients.begin() + parameter.offset,
                             some.gradients.begin() + parameter.offset + parameter.size,
                             all.gradients.begin() + same.offset))
          << parameter.name;
      ++compared;
    }
    EXPECT_GE(compared, 2u);
  }
  size_t head = 0;
  for (const Parameter& parameter : whole.parameters()) {
    for (const std::string_view module :
         encoder_spec(config.model_type, ErrorCode::kInternal, "test").head.modules()) {
      if (parameter.name.starts_with(std::string(module) + ".")) {
        head += static_cast<size_t>(parameter.size);
      }
    }
  }
  EXPECT_LT(least, head + 200) << "the head alone";
}

// A gradient that is reported as final does not change, and in the end all are reported.
TEST_P(LearningFamily, GradientsSayWhenTheyAreFinal) {
  ModelConfig config = dropout_config(GetParam());
  config.num_hidden_layers = 4;
  config.num_hidden_groups = 2;  // weights that are used twice are final after their first layer
  const PackedBatch batch = pack(random_windows(config, {11, 3, 20}, 9));
  const Learning freezes{.embeddings = false, .frozen_layers = {{0, 1}}};
  for (const Learning& learning : {Learning{}, freezes, lora({"all-linear"})}) {
    QuestionAnsweringModel model = random_model(config, 5, learning);
    model.prepare_training();
    Workspace workspace;
    model.forward_backward(batch, {.seeds = {7, 3}},
                           workspace);  // the last micro-batch adds to this
    const auto* const first = model.gradients(model.parameters().front()).as<float>();
    std::vector<int64_t> ends;
    std::vector<float> seen;
    const auto on_final = [&](int64_t end) {
      ends.push_back(end);
      EXPECT_TRUE(std::equal(seen.begin(), seen.end(), first));
      seen.assign(first, first + end);
    };
    model.forward_backward(batch, {.seeds = {7, 3}, .on_final = on_final}, workspace);
    EXPECT_EQ(seen, copy_of(model.all_gradients()));
    EXPECT_TRUE(std::is_sorted(ends.begin(), ends.end()));
    EXPECT_GE(ends.size(), 3u);
    EXPECT_EQ(ends.back(), model.all_gradients().size());
    EXPECT_LT(ends.front(), ends.back());
  }
}

TEST(Backward, GivesThePaddingRowNoGradient) {
  const ModelConfig config = small_config();
  QuestionAnsweringModel model = random_model(config, 5);
  auto windows = random_windows(config, {12}, 1);
  windows[0].input_ids[4] = config.pad_token_id;
  train_step(model, {pack(windows)});
  const Parameter& words = model.parameters().back();
  ASSERT_EQ(words.name, "bert.embeddings.word_embeddings.weight");
  const Tensor g = model.gradients(words);
  for (int64_t c = 0; c < g.cols; ++c) EXPECT_EQ(g.row<float>(config.pad_token_id)[c], 0.0f);
  float largest = 0;
  for (int64_t c = 0; c < g.cols; ++c) {
    largest = std::max(largest, std::abs(g.row<float>(windows[0].input_ids[5])[c]));
  }
  EXPECT_GT(largest, 0.0f);
}

TEST(Backward, LeavesGapsOfTheArenaZero) {
  const ModelConfig config = small_config();
  QuestionAnsweringModel model = random_model(config, 5);
  const Step step = train_step(model, {pack(random_windows(config, {12, 5}, 1))});
  std::vector<bool> used(step.gradients.size(), false);
  for (const Parameter& p : model.parameters()) {
    std::fill_n(used.begin() + p.offset, p.size, true);
  }
  const std::vector<float> weights = copy_of(model.all_weights());
  ASSERT_GT(std::count(used.begin(), used.end(), false), 0);
  for (size_t i = 0; i < used.size(); ++i) {
    if (used[i]) continue;
    EXPECT_EQ(step.gradients[i], 0.0f);
    EXPECT_EQ(weights[i], 0.0f);
  }
}

TEST(Backward, ScaleMultipliesGradientsButNotLosses) {
  const ModelConfig config = small_config();
  QuestionAnsweringModel model = random_model(config, 5);
  const PackedBatch batch = pack(random_windows(config, {12, 5}, 1));
  const Step whole = train_step(model, {batch});
  model.zero_gradients();
  Workspace workspace;
  const double loss =
      model.forward_backward(batch, {.seeds = {7, 3}, .gradient_scale = 0.25f}, workspace);
  std::vector<float> scaled = copy_of(model.all_gradients());
  for (float& g : scaled) g *= 4;
  EXPECT_LT(relative_distance(scaled, whole.gradients), 1e-6);
  EXPECT_NEAR(loss, whole.losses[0] + whole.losses[1], 1e-9);
}

TEST(Accumulation, OfMicroBatchesEqualsOneBatch) {
  for (const ModelConfig& config : {small_config(), dropout_config()}) {
    QuestionAnsweringModel model = random_model(config, 5);
    const auto windows = random_windows(config, {12, 5, 40, 1, 23}, 1);
    const Step whole = train_step(model, {pack(windows)});
    std::vector<PackedBatch> singles;
    for (const auto& window : windows) singles.push_back(pack({window}));
    const Step accumulated = train_step(model, singles);
    EXPECT_LT(relative_distance(accumulated.gradients, whole.gradients), 1e-6);
    for (size_t i = 0; i < whole.losses.size(); ++i) {
      EXPECT_NEAR(accumulated.losses[i], whole.losses[i], 1e-5);
    }
  }
}

TEST(Dropout, MasksDependOnWindowsNotOnPacking) {
  const ModelConfig config = dropout_config();
  QuestionAnsweringModel model = random_model(config, 5);
  auto windows = random_windows(config, {12, 5, 17}, 1);
  const Step first = train_step(model, {pack(windows)});
  std::reverse(windows.begin(), windows.end());
  const Step second = train_step(model, {pack(windows)});
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(first.losses[i], second.losses[2 - i], 1e-5);
  EXPECT_LT(relative_distance(second.gradients, first.gradients), 1e-6);
}

TEST(Dropout, MasksChangeWithSeedStepAndWindow) {
  const ModelConfig config = dropout_config();
  QuestionAnsweringModel model = random_model(config, 5);
  auto windows = random_windows(config, {12}, 1);
  const double loss = train_step(model, {pack(windows)}, {7, 3}).losses[0];
  EXPECT_NE(loss, train_step(model, {pack(windows)}, {8, 3}).losses[0]);
  EXPECT_NE(loss, train_step(model, {pack(windows)}, {7, 4}).losses[0]);
  EXPECT_EQ(loss, train_step(model, {pack(windows)}, {7, 3}).losses[0]);
  windows[0].id = 1;
  EXPECT_NE(loss, train_step(model, {pack(windows)}, {7, 3}).losses[0]);
}

TEST(Dropout, IsOffWhenPredicting) {
  QuestionAnsweringModel with = random_model(dropout_config(), 5);
  QuestionAnsweringModel without = random_model(small_config(), 5);
  const PackedBatch batch = pack(random_windows(small_config(), {12, 5}, 1));
  EXPECT_EQ(testing::predict(with, batch), testing::predict(without, batch));
}

class Threads : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override { before_ = thread_count(); }
  void TearDown() override { set_thread_count(before_); }
  int before_ = 1;
};

TEST_P(Threads, DoNotChangeMasksOrResultsBeyondRounding) {
  const ModelConfig config = dropout_config();
  QuestionAnsweringModel model = random_model(config, 5);
  const PackedBatch batch = pack(random_windows(config, {12, 5, 33, 40}, 1));
  set_thread_count(1);
  const Step one = train_step(model, {batch});
  set_thread_count(GetParam());
  const Step many = train_step(model, {batch});
  EXPECT_EQ(train_step(model, {batch}).gradients, many.gradients) << "same threads, other bytes";
  EXPECT_LT(relative_distance(many.gradients, one.gradients), 1e-6);
  for (size_t i = 0; i < one.losses.size(); ++i) EXPECT_NEAR(one.losses[i], many.losses[i], 1e-5);
}
INSTANTIATE_TEST_SUITE_P(Counts, Threads, ::testing::Values(2, 3, 4));

TEST(Predict, BatchEqualsSingleWindows) {
  const ModelConfig config = small_config();
  const QuestionAnsweringModel model = random_model(config, 5);
  const auto windows = random_windows(config, {12, 1, 40, 7}, 1);
  const std::vector<float> together = testing::predict(model, pack(windows));
  std::vector<float> apart;
  for (const auto& window : windows) {
    const std::vector<float> one = testing::predict(model, pack({window}));
    apart.insert(apart.end(), one.begin(), one.end());
  }
  EXPECT_LT(relative_distance(together, apart), 1e-6);
}

TEST(Predict, EqualsTheTrainingPassWithoutDropout) {
  const ModelConfig config = small_config();
  QuestionAnsweringModel model = random_model(config, 5);
  const PackedBatch batch = pack(random_windows(config, {9}, 1));
  const std::vector<float> logits = testing::predict(model, batch);
  double loss = 0;
  for (const int side : {0, 1}) {
    const int32_t gold = side == 0 ? batch.start_positions[0] : batch.end_positions[0];
    double sum = 0;
    for (size_t t = 0; t < 9; ++t) sum += std::exp(static_cast<double>(logits[2 * t + side]));
    loss += 0.5 * (std::log(sum) - logits[2 * gold + side]);
  }
  EXPECT_NEAR(train_step(model, {batch}).losses[0], loss, 1e-5);
}

TEST(Predict, IsConcurrent) {
  const ModelConfig config = small_config();
  const QuestionAnsweringModel model = random_model(config, 5);
  const PackedBatch batch = pack(random_windows(config, {12, 31}, 1));
  const std::vector<float> expected = testing::predict(model, batch);
  ASSERT_FALSE(expected.empty());
  std::vector<std::vector<float>> found(4);
  std::vector<std::thread> threads;
  for (auto& out : found) threads.emplace_back([&] { out = testing::predict(model, batch); });
  for (auto& thread : threads) thread.join();
  for (const auto& out : found) EXPECT_LT(relative_distance(out, expected), 1e-6);
}

TEST(Predict, EmptyBatchIsNothing) {
  const QuestionAnsweringModel model = random_model(small_config(), 5);
  EXPECT_TRUE(testing::predict(model, pack({})).empty());
}

TEST(Predict, RefusesIdsOutsideTheModel) {
  const ModelConfig config = small_config();
  const QuestionAnsweringModel model = random_model(config, 5);
  const auto with = [&](auto change) {
    auto windows = random_windows(config, {5}, 1);
    change(windows[0]);
    return testing::expect_error(ErrorCode::kBadModel,
                                 [&] { testing::predict(model, pack(windows)); });
  };
  EXPECT_EQ(with([](auto& w) { w.input_ids[2] = 50; }).place().text(), "token id");
  EXPECT_EQ(with([](auto& w) { w.input_ids[2] = -1; }).place().text(), "token id");
  EXPECT_EQ(with([](auto& w) { w.token_type_ids[2] = 2; }).place().text(), "token type id");
  EXPECT_EQ(with([](auto& w) {
              w.input_ids.assign(41, 1);
              w.token_type_ids.assign(41, 0);
            })
                .place()
                .text(),
            "position");
}

TEST(Training, NeedsItsPreparation) {
  QuestionAnsweringModel model = random_model(small_config(), 5);
  const PackedBatch batch = pack(random_windows(small_config(), {5}, 1));
  Workspace workspace;
  testing::expect_error(ErrorCode::kInternal,
                        [&] { model.forward_backward(batch, {}, workspace); });
}

TEST(BFloat16, IsNearF32) {
  ModelConfig config = small_config();
  config.initializer_range = 0.1;
  QuestionAnsweringModel model = random_model(config, 5);
  const PackedBatch batch = pack(random_windows(config, {12, 5, 40}, 1));
  const std::vector<float> logits = testing::predict(model, batch);
  const Step exact = train_step(model, {batch});
  EXPECT_TRUE(model.shadow_weights().empty());
  model.set_precision(Precision::kBF16);
  EXPECT_FALSE(model.shadow_weights().empty());
  EXPECT_LT(relative_distance(testing::predict(model, batch), logits), 3e-2);
  const Step near = train_step(model, {batch});
  EXPECT_LT(relative_distance(near.gradients, exact.gradients), 5e-2);
  EXPECT_GT(relative_distance(near.gradients, exact.gradients), 1e-5) << "bf16 was not used";
  model.set_precision(Precision::kF32);
  EXPECT_EQ(testing::predict(model, batch), logits);
}

TEST(BFloat16, ShadowFollowsChangedWeights) {
  const ModelConfig config = small_config();
  QuestionAnsweringModel model = random_model(config, 5);
  model.set_precision(Precision::kBF16);
  const PackedBatch batch = pack(random_windows(config, {12}, 1));
  const std::vector<float> before = testing::predict(model, batch);
  for (const Parameter& p : model.parameters()) {
    if (p.name != "bert.encoder.layer.0.intermediate.dense.weight") continue;
    const Tensor w = model.weights(p);
    for (int64_t i = 0; i < w.size(); ++i) w.as<float>()[i] *= 2;
  }
  EXPECT_EQ(testing::predict(model, batch), before);
  model.weights_changed();
  EXPECT_NE(testing::predict(model, batch), before);
}

class MemoryEstimate : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Families, MemoryEstimate, ::testing::Values("bert", "modernbert"));

TEST_P(MemoryEstimate, IsWhatThePassesTake) {
  ModelConfig config = small_config(GetParam());
  config.hidden_size = 96;
  config.num_attention_heads = 4;
  config.intermediate_size = 384;
  config.num_hidden_layers = 3;
  const PackedBatch batch = pack(random_windows(config, std::vector<int32_t>(16, 40), 1));
  const int64_t tokens = batch.token_count();
  std::vector<float> logits(2 * tokens);
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    QuestionAnsweringModel model = random_model(config, 5);
    model.set_precision(precision);
    model.prepare_training();
    for (const bool training : {false, true}) {
      SCOPED_TRACE(training);
      const auto estimate = training ? estimate_training_memory(config, precision, tokens)
                                     : estimate_answering_memory(config, precision, tokens);
      Workspace workspace;
      if (training) {
        model.forward_backward(batch, {}, workspace);
      } else {
        model.predict(batch, workspace, make_tensor(logits.data(), tokens, 2));
      }
      const auto expected = static_cast<double>(estimate.activations);
      EXPECT_NEAR(static_cast<double>(workspace.activations.peak_bytes()), expected,
                  0.03 * expected);
    }
    EXPECT_EQ(estimate_training_memory(config, precision, tokens).moments,
              8 * model.parameter_count());
  }
}

// Far more distances than tokens: the table needs most of the memory.
TEST(MemoryEstimate, HoldsTheTableOfDistances) {
  ModelConfig config = small_config("deberta-v2");
  config.num_hidden_layers = 3;
  config.position_buckets = 300;
  config.max_relative_positions = 512;
  const PackedBatch batch = pack(random_windows(config, {30, 20}, 1));
  for (const Precision precision : {Precision::kF32, Precision::kBF16}) {
    QuestionAnsweringModel model = random_model(config, 5);
    model.set_precision(precision);
    model.prepare_training();
    Workspace workspace;
    model.forward_backward(batch, {}, workspace);
    const auto expected = static_cast<double>(
        estimate_training_memory(config, precision, batch.token_count()).activations);
    EXPECT_NEAR(static_cast<double>(workspace.activations.peak_bytes()), expected, 0.06 * expected);
  }
}

}  // namespace
}  // namespace spanforge
