#include "spanforge/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "spanforge/base/random.h"
#include "spanforge/io/file.h"
#include "spanforge/model/parameter_table.h"
#include "spanforge/ops/adafactor.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/sgd.h"
#include "spanforge/train/gradient_sum.h"
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

// One window of few words, so that most rows of the embedding are not touched.
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

Tensor part(const Tensor& arena, const Parameter& parameter) {
  return arena.columns(parameter.offset, parameter.size);
}

TEST(OptimizerNames, AreTheKinds) {
  std::vector<std::string_view> words, kinds;
  for (const Spelling<OptimizerName>& row : spellings(OptimizerName{})) words.push_back(row.word);
  for (const OptimizerKind& kind : optimizer_kinds()) kinds.push_back(kind.name);
  EXPECT_EQ(words, kinds);
}

// Each optimiser by its definition: updates every element of every parameter, whatever its
// gradient.
void plain_step(const std::string& optim, QuestionAnsweringModel& model,
                const OptimizerState& state, const TrainedParameters& parameters,
                const UpdateStep& update, double weight_decay) {
  for (const TrainedParameter& trained : parameters) {
    const Parameter& p = *trained.row;
    const Tensor weights = model.weights(p), gradients = model.gradients(p);
    const double decay = p.decays ? weight_decay : 0.0;
    const auto of = [&](const char* slot) { return state.array(slot).of(p); };
    if (optim == "sgd") {
      ops::sgd(part(model.all_weights(), p), part(model.all_gradients(), p), Tensor{},
               {update.learning_rate, decay, update.gradient_scale});
    } else if (optim == "adafactor") {
      const ops::AdafactorConstants c{.lr = update.learning_rate,
                                      .weight_decay = decay,
                                      .step = update.number,
                                      .gradient_scale = update.gradient_scale};
      if (p.shape.size() == 1) {
        ops::adafactor_vector(weights, gradients, of("exp_avg_sq"), of("RMS"), c);
      } else {
        ops::adafactor(weights, gradients, of("exp_avg_sq_row"), of("exp_avg_sq_col"), of("RMS"),
                       Tensor{}, c);
      }
    } else {
      ops::adamw(part(model.all_weights(), p), part(model.all_gradients(), p), of("exp_avg"),
                 of("exp_avg_sq"), Tensor{},
                 {.lr = update.learning_rate,
                  .weight_decay = decay,
                  .step = update.number,
                  .gradient_scale = update.gradient_scale});
    }
  }
}

// In ulps of the largest value; 0: equal in every bit.
void expect_close(const Tensor& a, const Tensor& b, double ulps, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  double largest = 0;
  for (int64_t i = 0; i < b.size(); ++i) {
    largest = std::max<double>(largest, std::abs(b.as<float>()[i]));
  }
  const double bound = ulps * 1.2e-7 * largest;
  for (int64_t i = 0; i < a.size(); ++i) {
    if (ulps == 0) {
      ASSERT_EQ(a.as<float>()[i], b.as<float>()[i]) << what << " " << i;
    } else {
      ASSERT_NEAR(a.as<float>()[i], b.as<float>()[i], bound) << what << " " << i;
    }
  }
}

constexpr const char* kOptimizers[] = {"adamw_torch_fused", "adafactor", "sgd"};

struct Case {
  std::string optim;
  double weight_decay;
  bool frozen;  // all but some parameters
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string optim : kOptimizers) {
    for (const double decay : {0.0, 0.1}) {
      for (const bool frozen : {false, true}) all.push_back({optim, decay, frozen});
    }
  }
  return all;
}

// Leaves query and value, but not key, which lies between them; one embedding of three; only
// biases elsewhere.
bool is_trained(const Parameter& p) {
  if (p.name.find("qa_outputs") != std::string::npos) return true;
  if (p.embedding) return p.name.find("position_embeddings") != std::string::npos;
  if (p.name.find("self") != std::string::npos) {
    return p.name.find("key") == std::string::npos;
  }
  return p.name.find("dense.bias") != std::string::npos;
}

TrainedParameters parameters_of(const QuestionAnsweringModel& model, bool frozen) {
  return frozen ? trained_parameters(model.parameters(), is_trained)
                : trained_parameters(model.parameters());
}

std::unique_ptr<Optimizer> optimizer_of(const QuestionAnsweringModel& model, const Case& c) {
  TrainingArguments arguments;
  arguments.optim = find_spelling<OptimizerName>(c.optim).value();
  arguments.weight_decay = c.weight_decay;
  return optimizer_kind(c.optim).make(parameters_of(model, c.frozen), arguments);
}

// Embedding rows without a gradient, and parameters in one flat range, change as if each element
// had been updated alone. Parameters that are not trained stay.
TEST(Optimizers, EqualTheirDefinitionOnEveryElement) {
  int64_t compared = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.optim + " decay " + std::to_string(c.weight_decay) +
                 (c.frozen ? " frozen" : ""));
    auto model = QuestionAnsweringModel::create(tiny_config(), 3);
    auto plain = QuestionAnsweringModel::create(tiny_config(), 3);
    const auto start = QuestionAnsweringModel::create(tiny_config(), 3);
    for (auto* m : {&model, &plain}) m->prepare_training();
    auto optimizer = optimizer_of(model, c);
    const OptimizerState state = optimizer->new_state(), plain_state = optimizer->new_state();
    // Adafactor's sums of a touched matrix and of a whole one add in other orders.
    const double ulps = c.optim == "adafactor" ? 16 : 0;
    CounterStream stream(testing::test_seed());
    Workspace workspace;
    for (int64_t step = 0; step < 8; ++step) {
      if (step == 4) optimizer = optimizer_of(model, c);  // as in a resumed run
      const PackedBatch batch = batch_of(stream);
      for (auto* m : {&model, &plain}) {
        m->zero_gradients();
        m->forward_backward(batch, {.seeds = {7, static_cast<uint64_t>(step)}}, workspace);
      }
      if (ulps == 0) expect_close(model.all_gradients(), plain.all_gradients(), 0, "gradient");
      const UpdateStep update{step + 1, 1e-2, 0.5f};
      optimizer->step(model, state, update);
      plain_step(c.optim, plain, plain_state, parameters_of(plain, c.frozen), update,
                 c.weight_decay);
      expect_close(model.all_weights(), plain.all_weights(), ulps, "weight");
      for (const OptimizerState::Array& array : state.arrays()) {
        expect_close(array.flat(), plain_state.array(array.slot.name).flat(), ulps,
                     std::string(array.slot.name));
      }
      if (HasFatalFailure()) return;
      ++compared;
      if (ulps != 0) {  // so that differences do not grow
        ops::convert(model.all_weights(), plain.all_weights());
      }
    }
    for (const Parameter& p : start.parameters()) {
      if (c.frozen && !is_trained(p)) {
        expect_close(model.weights(p), start.weights(p), 0, p.name);
      } else {
        EXPECT_NE(std::memcmp(model.weights(p).data, start.weights(p).data, 4 * p.size), 0)
            << p.name;
      }
    }
  }
  EXPECT_EQ(compared, static_cast<int64_t>(8 * cases().size()));
}

// In bf16 the products read a rounded copy of the matrices; every update renews it.
TEST(Optimizers, RenewTheRoundedCopyOfEachMatrix) {
  int64_t compared = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.optim + (c.frozen ? " frozen" : ""));
    auto model = QuestionAnsweringModel::create(tiny_config(), 3);
    model.set_precision(Precision::kBF16);
    model.prepare_training();
    const auto optimizer = optimizer_of(model, c);
    const OptimizerState state = optimizer->new_state();
    CounterStream stream(testing::test_seed());
    Workspace workspace;
    for (int64_t step = 1; step <= 2; ++step) {
      model.zero_gradients();
      model.forward_backward(batch_of(stream), {.seeds = {7, static_cast<uint64_t>(step)}},
                             workspace);
      optimizer->step(model, state, {step, 1e-2, 1.0f});
    }
    for (const Parameter& p : model.parameters()) {
      if (p.embedding || p.shape.size() == 1) continue;
      const Tensor weights = model.weights(p), copy = parameter_view(p, model.shadow_weights());
      for (int64_t i = 0; i < weights.size(); ++i, ++compared) {
        ASSERT_EQ(copy.as<bf16>()[i].bits, to_bf16(weights.as<float>()[i]).bits) << p.name;
      }
    }
  }
  EXPECT_GT(compared, 0);
}

TEST(Optimizers, KeepStateOfWhatIsTrainedAndNoOther) {
  const auto model = QuestionAnsweringModel::create(tiny_config(), 3);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.optim + (c.frozen ? " frozen" : ""));
    const auto optimizer = optimizer_of(model, c);
    const OptimizerState state = optimizer->new_state();
    int64_t elements = 0;
    for (const OptimizerState::Array& array : state.arrays()) {
      std::vector<std::pair<int64_t, int64_t>> places;
      for (const Parameter& p : model.parameters()) {
        const auto* part = array.part_of(p);
        const auto shape = array.slot.shape(p);
        ASSERT_EQ(part != nullptr, shape.has_value() && (!c.frozen || is_trained(p))) << p.name;
        if (part == nullptr) continue;
        EXPECT_EQ(part->shape, *shape);
        EXPECT_TRUE(!array.slot.cuts_anywhere || part->shape == p.shape);
        places.emplace_back(part->offset, part->offset + part->size);
        elements += part->size;
      }
      std::sort(places.begin(), places.end());
      for (size_t i = 0; i < places.size(); ++i) {  // no two overlap
        EXPECT_LE(places[i].second,
                  i + 1 < places.size() ? places[i + 1].first : array.flat().size());
      }
    }
    if (!c.frozen) {
      EXPECT_EQ(4 * elements, optimizer_state_bytes(c.optim, model.config()));
      EXPECT_LE(state.bytes(), static_cast<uint64_t>(4.2 * static_cast<double>(elements) + 512));
    }
  }
  int64_t weights = model.parameter_count();
  EXPECT_EQ(optimizer_state_bytes("adamw_torch", model.config()), 8 * weights);
  EXPECT_LT(optimizer_state_bytes("adafactor", model.config()), weights);
  EXPECT_EQ(optimizer_state_bytes("sgd", model.config()), 0);
}

// AdamW's slots follow the arenas, so that a range of one is a range of the other.
TEST(Optimizers, AdamWsSlotsFollowTheArenas) {
  const auto model = QuestionAnsweringModel::create(tiny_config(), 3);
  const OptimizerState state = optimizer_of(model, {"adamw_torch", 0, false})->new_state();
  EXPECT_EQ(state.arrays().size(), 2u);
  for (const OptimizerState::Array& array : state.arrays()) {
    EXPECT_EQ(array.flat().size(), model.all_weights().size());
    for (const Parameter& p : model.parameters()) EXPECT_EQ(array.part_of(p)->offset, p.offset);
  }
}

class OptimizerFile : public ::testing::Test {
 protected:
  OptimizerFile() : model_(QuestionAnsweringModel::create(tiny_config(), 3)) {}

  TrainingArguments arguments(const std::string& optim) const {
    TrainingArguments a;
    a.optim = find_spelling<OptimizerName>(optim).value();
    return a;
  }
  // All numbers are distinct.
  OptimizerState counted_state(const Optimizer& optimizer) const {
    OptimizerState state = optimizer.new_state();
    float next = 1;
    for (const OptimizerState::Array& array : state.arrays()) {
      for (const TrainedParameter& trained : optimizer.parameters()) {
        if (array.part_of(*trained.row) == nullptr) continue;
        const Tensor values = array.of(*trained.row);
        for (int64_t i = 0; i < values.size(); ++i) values.as<float>()[i] = next++;
      }
    }
    return state;
  }
  std::filesystem::path write(const Case& c, int64_t step = 3) const {
    const auto optimizer = optimizer_of(model_, c);
    const auto file = directory_ / (c.optim + ".pt");
    write_optimizer_file(AtomicFile(file), model_, *optimizer, counted_state(*optimizer),
                         arguments(c.optim), step, 1e-5);
    return file;
  }

  testing::TemporaryDirectory directory_;
  QuestionAnsweringModel model_;
};

TEST_F(OptimizerFile, GivesBackWhatWasWritten) {
  size_t arrays = 0;
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.optim + (c.frozen ? " frozen" : ""));
    const auto optimizer = optimizer_of(model_, c);
    const OptimizerState state = counted_state(*optimizer);
    const OptimizerState read = read_optimizer_file(write(c), model_, *optimizer, 3);
    ASSERT_EQ(read.arrays().size(), state.arrays().size());
    for (const OptimizerState::Array& array : state.arrays()) {
      expect_close(read.array(array.slot.name).flat(), array.flat(), 0,
                   std::string(array.slot.name));
      ++arrays;
    }
    const TorchFile file(write(c));
    EXPECT_TRUE(same_optimizer(optimizer_of_file(file.root(), "file"), c.optim));
  }
  EXPECT_EQ(arrays, 4u * (2 + 4));  // AdamW's and Adafactor's slots, four cases each
}

TEST_F(OptimizerFile, OfAnotherKindStepOrParametersIsRefused) {
  for (const std::string is : kOptimizers) {
    for (const std::string wanted : kOptimizers) {
      SCOPED_TRACE(is + " as " + wanted);
      const auto optimizer = optimizer_of(model_, {wanted, 0, false});
      const auto file = write({is, 0, false});
      if (is == wanted) {
        if (is == "sgd") continue;  // it counts no steps
        const Error steps = testing::expect_error(
            ErrorCode::kBadModel, [&] { read_optimizer_file(file, model_, *optimizer, 4); });
        EXPECT_NE(steps.reason().find("has seen 3 steps"), std::string::npos) << steps.what();
        continue;
      }
      const Error error = testing::expect_error(
          ErrorCode::kBadModel, [&] { read_optimizer_file(file, model_, *optimizer, 3); });
      EXPECT_EQ(error.file(), file.string());
      EXPECT_NE(error.reason().find("holds the state of " + is), std::string::npos) << error.what();
    }
    const auto whole = optimizer_of(model_, {is, 0, false});
    const auto frozen = write({is, 0, true});
    testing::expect_error(ErrorCode::kBadModel,
                          [&] { read_optimizer_file(frozen, model_, *whole, 3); });
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
  GroupAlone alone;
  GradientSum all(model, alone, 1, /*divides_update=*/false);
  EXPECT_NEAR(all.sum_of_squares(), sum, 1e-9 * sum);
  model.zero_gradients();
  EXPECT_EQ(all.sum_of_squares(), 0.0);
  for (int64_t i = 0; i < model.all_gradients().size(); ++i) {
    ASSERT_EQ(model.all_gradients().as<float>()[i], 0.0f);
  }
}

}  // namespace
}  // namespace spanforge
