// Accumulated gradients compared with those of one batch, and steps whose numbers are not finite.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/core.h>

#include "spanforge/base/random.h"
#include "spanforge/io/file.h"
#include "spanforge/model/model.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/train_state.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;

class Numbers : public testing::TrainFixture {
 protected:
  // Questions over texts of 5 to 40 words, one in five without an answer.
  void write_mixed_lengths(size_t questions, CounterStream& stream) const {
    const char* const words[] = {"anna", "sat", "in", "the", "harbour", ".", "clara", "library"};
    Json rows = Json::array();
    for (size_t i = 0; i < questions; ++i) {
      std::string context;
      const uint64_t length = 5 + stream.next_below(30);
      for (uint64_t k = 0; k < length; ++k)
        context += std::string(words[stream.next_below(std::size(words))]) + " ";
      const size_t place = context.size();
      context += "market.";
      Json answers = Json::array();
      if (i % 5 != 4) answers.push_back({{"text", "market"}, {"answer_start", place}});
      rows.push_back({{"id", fmt::format("q{}", i)},
                      {"title", "t"},
                      {"context", context},
                      {"question", "where is " + std::string(words[i % 8]) + "?"},
                      {"answers", answers}});
    }
    write_file_atomic(at("train.json"),
                      dump_python_json(Json{{"version", "v2.0"}, {"data", rows}}));
  }
};

// The gradient of each step: AdamW's first moment holds it, and the rate is too small to change
// any weight.
struct Moments : Observer {
  void on_step_end(const TrainView& view) override {
    const Tensor moment = view.state.optimizer.array("exp_avg").flat();
    steps.emplace_back(moment.as<float>(), moment.as<float>() + moment.size());
  }
  std::vector<std::vector<float>> steps;
};

// The largest difference, in units of the largest value.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0, largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(double{a[i]} - b[i]));
    largest = std::max(largest, std::abs(double{a[i]}));
  }
  return most / largest;
}

TEST_F(Numbers, AccumulatedExamplesEqualOneBatchWhateverTheSizes) {
  CounterStream stream(testing::test_seed());
  double worst = 0;
  int short_ends = 0;
  for (int trial = 0; trial < 12; ++trial) {
    const size_t questions = 5 + stream.next_below(20);
    const auto parts = static_cast<int64_t>(2 + stream.next_below(4));
    const auto size = static_cast<int64_t>(1 + stream.next_below(4));
    SCOPED_TRACE(fmt::format("{} questions, {} x {}", questions, parts, size));
    write_mixed_lengths(questions, stream);
    const auto run = [&](const std::string& output, int64_t batch, int64_t accumulated) {
      TrainingArguments a = arguments(output);
      a.per_device_train_batch_size = batch;
      a.gradient_accumulation_steps = accumulated;
      a.accumulation_mean = AccumulationMean::kExamples;
      a.learning_rate = 1e-12;
      a.lr_scheduler_type = ScheduleKind::kConstant;
      a.logging_steps = 1.0;
      a.save_strategy = SaveStrategy::kNo;
      a.overwrite = true;
      Moments moments;
      testing::Recorder recorder;
      train(a, {.observers = {&moments, &recorder}});
      return std::pair(moments.steps, recorder.unrounded_lines);
    };
    const auto [one, one_lines] = run("one", parts * size, 1);
    const auto [many, many_lines] = run("many", size, parts);
    ASSERT_EQ(one.size(), many.size());
    short_ends += questions % static_cast<size_t>(parts * size) != 0;
    for (size_t step = 0; step < one.size(); ++step) {
      worst = std::max(worst, difference(one[step], many[step]));
      for (const char* key : {"loss", "grad_norm"}) {
        const double expected = *one_lines[step].number(key);
        const double got = *many_lines[step].number(key);
        worst = std::max(worst, std::abs(got - expected) / expected);
        EXPECT_NEAR(got, expected, 1e-6 * expected) << key << " of step " << step + 1;
      }
    }
    EXPECT_LE(worst, 1e-6);
  }
  EXPECT_GT(short_ends, 6) << "most trials should end with a short group";
  RecordProperty("worst_relative_difference", fmt::format("{:.1e}", worst));
}

// Makes one word's embedding NaN at the end of a step. Then only windows with that word have no
// loss.
struct PoisonWord : Observer {
  PoisonWord(int64_t step, int32_t word) : after(step), id(word) {}
  void on_step_end(const TrainView& view) override {
    last_step = view.state.global_step;
    if (last_step != after) return;
    for (const Parameter& parameter : view.model.parameters()) {
      if (!parameter.name.ends_with("word_embeddings.weight")) continue;
      const Tensor rows = view.model.weights(parameter);
      std::fill_n(rows.row<float>(id), rows.cols, std::numeric_limits<float>::quiet_NaN());
      ++set;
    }
  }
  int64_t after, last_step = 0;
  int32_t id;
  int set = 0;
};

TEST_F(Numbers, ANonFiniteLossStopsNamingStepExamplesAndTheLoss) {
  const int32_t dario = *Tokenizer::from_directory(at("model")).token_to_id("dario");
  TrainingArguments a = arguments("out"), clean = arguments("clean");
  for (TrainingArguments* options : {&a, &clean}) {
    options->per_device_train_batch_size = 12;
    options->save_steps = 1.0;
    options->save_strategy = SaveStrategy::kSteps;
    options->num_train_epochs = 4.0;
  }
  // If a checkpoint is due, the NaN is found before it is written.
  PoisonWord poison(2, dario);
  const Error refused =
      expect_error(ErrorCode::kNonFinite, [&] { train(a, {.observers = {&poison}}); });
  EXPECT_EQ(poison.set, 1);
  EXPECT_EQ(refused.place().text(), "step 2");
  EXPECT_NE(refused.reason().find("word_embeddings.weight"), std::string::npos) << refused.what();
  EXPECT_EQ(names_in("out"), (std::vector<std::string>{"checkpoint-1", "log.jsonl", "logs"}));

  // Otherwise the next step's loss shows it.
  a.save_steps = 2.0;
  a.overwrite = true;
  PoisonWord later(3, dario);
  const Error error =
      expect_error(ErrorCode::kNonFinite, [&] { train(a, {.observers = {&later}}); });
  EXPECT_EQ(error.place().text(), "step 4");
  EXPECT_EQ(later.last_step, 3) << "the step must not end";
  const std::string& reason = error.reason();
  EXPECT_TRUE(reason.starts_with("NaN or Inf in the loss, examples ")) << reason;
  for (const char* id : {"who-0-3", "where-0-3"}) {
    EXPECT_NE(reason.find(id), std::string::npos) << reason;
  }
  EXPECT_EQ(reason.find("-0-1"), std::string::npos) << "its loss is finite: " << reason;
  EXPECT_NE(reason.find("checkpoint-2 is kept"), std::string::npos) << reason;
  train(clean);
  EXPECT_EQ(bytes("out/checkpoint-2/model.safetensors"),
            bytes("clean/checkpoint-2/model.safetensors"));
}

}  // namespace
}  // namespace spanforge
