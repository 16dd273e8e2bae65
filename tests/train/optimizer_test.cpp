#include "spanforge/train/optimizer.h"

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/train/optimizer_file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

ModelConfig tiny_config() {
  ModelConfig config;
  config.hidden_size = 24;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 3;
  config.intermediate_size = 40;
  config.vocab_size = 60;
  config.max_position_embeddings = 16;
  config.type_vocab_size = 2;
  return config;
}

// One window of few words, so that most rows of the embedding stay untouched.
PackedBatch batch_of(CounterStream& stream) {
  PackedBatch batch;
  const int32_t length = 6;
  for (int32_t i = 0; i < length; ++i) {
    batch.input_ids.push_back(1 + static_cast<int32_t>(stream.next_below(20)));
    batch.position_ids.push_back(i);
    batch.token_type_ids.push_back(i / 3);
  }
  batch.cu_seqlens = {0, length};
  batch.window_ids = {0};
  batch.start_positions = {1};
  batch.end_positions = {3};
  return batch;
}

Tensor whole(const Arena& arena) {
  return make_tensor(reinterpret_cast<float*>(arena.data()), 1,
                     static_cast<int64_t>(arena.size() / sizeof(float)));
}

// The definition: every element of every parameter, whatever its gradient.
void plain_step(QuestionAnsweringModel& model, TrainState& state, double weight_decay) {
  for (const Parameter& parameter : model.parameters()) {
    const auto part = [&](const Tensor& arena) {
      return arena.columns(parameter.offset, parameter.size);
    };
    ops::adamw(part(model.all_weights()), part(model.all_gradients()),
               part(whole(state.first_moment)), part(whole(state.second_moment)), Tensor{},
               {.lr = 1e-2,
                .weight_decay = parameter.decays ? weight_decay : 0.0,
                .step = state.global_step + 1,
                .gradient_scale = 0.5f});
  }
}

void expect_same(const Tensor& a, const Tensor& b, const char* what) {
  for (int64_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a.as<float>()[i], b.as<float>()[i]) << what << " " << i;
  }
}

TEST(AdamW, LeavingOutRowsWithoutHistoryChangesNothing) {
  for (const double weight_decay : {0.0, 0.1}) {
    SCOPED_TRACE("weight decay " + std::to_string(weight_decay));
    auto model = QuestionAnsweringModel::create(tiny_config(), 3);
    auto plain = QuestionAnsweringModel::create(tiny_config(), 3);
    TrainState state, plain_state;
    for (auto* m : {&model, &plain}) m->prepare_training();
    allocate_moments(model, state);
    allocate_moments(plain, plain_state);
    TrainingArguments arguments;
    arguments.weight_decay = weight_decay;
    auto optimizer = std::make_unique<AdamW>(model, arguments);
    CounterStream stream(testing::test_seed());
    Workspace workspace;
    for (int64_t step = 0; step < 8; ++step) {
      if (step == 4) optimizer = std::make_unique<AdamW>(model, arguments);  // as a resumed run
      const PackedBatch batch = batch_of(stream);
      for (auto* m : {&model, &plain}) {
        m->zero_gradients();
        m->forward_backward(batch, {.seeds = {7, static_cast<uint64_t>(step)}}, workspace);
      }
      expect_same(model.all_gradients(), plain.all_gradients(), "gradient");
      state.global_step = plain_state.global_step = step;
      optimizer->step(model, state, 1e-2, 0.5f);
      plain_step(plain, plain_state, weight_decay);
      expect_same(model.all_weights(), plain.all_weights(), "weight");
      expect_same(whole(state.first_moment), whole(plain_state.first_moment), "first moment");
      expect_same(whole(state.second_moment), whole(plain_state.second_moment), "second moment");
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Gradients, AreZeroWhereNoTokenWasAfterBeingCleared) {
  auto model = QuestionAnsweringModel::create(tiny_config(), 3);
  model.prepare_training();
  CounterStream stream(testing::test_seed());
  Workspace workspace;
  model.forward_backward(batch_of(stream), {.seeds = {7, 0}}, workspace);
  double sum = 0;
  for (int64_t i = 0; i < model.all_gradients().size(); ++i) {
    const double g = model.all_gradients().as<float>()[i];
    sum += g * g;
  }
  EXPECT_NEAR(model.gradient_sum_of_squares(), sum, 1e-9 * sum);
  model.zero_gradients();
  EXPECT_EQ(model.gradient_sum_of_squares(), 0.0);
  for (int64_t i = 0; i < model.all_gradients().size(); ++i) {
    ASSERT_EQ(model.all_gradients().as<float>()[i], 0.0f);
  }
}

}  // namespace
}  // namespace spanforge
