// What a run does if a step goes wrong, if nothing gets better, and at odd learning rates.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <sstream>

#include <fmt/core.h>

#include "spanforge/base/join.h"
#include "spanforge/io/file.h"
#include "spanforge/model/model.h"
#include "spanforge/train/train_state.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::Recorder;
using Names = std::vector<std::string>;

class RunPolicy : public testing::TrainFixture {
 protected:
  // One evaluation per epoch on the training data, whose loss falls each time; "best" is the
  // highest, so the first evaluation.
  TrainingArguments ever_worse(const std::string& output) const {
    TrainingArguments a = arguments(output);
    a.validation = at("train.json");
    a.num_train_epochs = 5.0;
    a.metric_for_best_model = "eval_loss";
    a.greater_is_better = true;
    return a;
  }
  bool same_weights(const std::string& one, const std::string& other) const {
    return bytes(one + "/model.safetensors") == bytes(other + "/model.safetensors");
  }
  static std::vector<double> evaluation_losses(const Recorder& recorder) {
    std::vector<double> losses;
    for (const LogLine& line : recorder.unrounded_lines) {
      if (const auto loss = line.number("eval_loss")) losses.push_back(*loss);
    }
    return losses;
  }
};

// Makes one weight NaN during one step.
struct Poison : Observer {
  explicit Poison(int64_t poisoned) : step(poisoned) {}
  void on_step_end(const TrainView& view) override {
    float& weight = view.model.all_weights().as<float>()[0];
    if (view.state.global_step == step - 1) {
      kept = weight;
      weight = std::numeric_limits<float>::quiet_NaN();
    } else if (view.state.global_step == step) {
      EXPECT_TRUE(std::isnan(weight)) << "a skipped step must not change the weights";
      weight = kept;
      restored = true;
    }
  }
  int64_t step;
  bool restored = false;
  float kept = 0;
};

TEST_F(RunPolicy, NonFiniteStepIsLeftOutAndTheRestGoesOn) {
  const auto options = [&](const std::string& output) {
    TrainingArguments a = arguments(output);
    a.logging_steps = 3.0;
    a.save_steps = 3.0;
    a.on_nonfinite = OnNonFinite::kSkip;
    return a;
  };
  Recorder whole, poisoned;
  train(options("whole"), {.observers = {&whole}});
  Poison poison(5);
  train(options("out"), {.observers = {&poison, &poisoned}});
  EXPECT_TRUE(poison.restored);

  const auto skipped = std::count_if(
      poisoned.notices.begin(), poisoned.notices.end(), [](const std::string& notice) {
        return notice.find("step 5 has NaN or Inf") != std::string::npos;
      });
  EXPECT_EQ(skipped, 1);
  EXPECT_TRUE(same_weights("out/checkpoint-3", "whole/checkpoint-3"));
  EXPECT_FALSE(same_weights("out/trained", "whole/trained"));
  ASSERT_EQ(poisoned.unrounded_lines.size(), whole.unrounded_lines.size());
  int losses = 0;
  for (const LogLine& line : poisoned.unrounded_lines) {
    const auto loss = line.number("loss");
    if (!loss) continue;
    ++losses;
    EXPECT_TRUE(std::isfinite(*loss) && *loss > 0) << line.step;
  }
  EXPECT_EQ(losses, 4);
  EXPECT_EQ(poisoned.unrounded_lines[0].number("loss"), whole.unrounded_lines[0].number("loss"));
  EXPECT_TRUE(std::isfinite(*poisoned.unrounded_lines.back().number("train_loss")));
}

TEST_F(RunPolicy, StepsLeftOutAreCountedAcrossAResume) {
  const auto count_of = [](const Recorder& recorder) {
    for (const std::string& notice : recorder.notices) {
      if (notice.ends_with("steps were skipped because of NaN or Inf")) return notice;
    }
    return std::string("nothing");
  };
  TrainingArguments a = arguments("out");
  a.on_nonfinite = OnNonFinite::kSkip;
  a.save_steps = 4.0;
  Poison third(3), eleventh(11);
  Recorder killed, whole, untouched;
  testing::KillAt kill(7);
  EXPECT_THROW(train(a, {.observers = {&third, &kill, &killed}}), testing::KillAt::Killed);
  a.resume_from_checkpoint = "last";
  train(a, {.observers = {&eleventh, &whole}});
  EXPECT_TRUE(third.restored);
  EXPECT_TRUE(eleventh.restored);
  EXPECT_EQ(count_of(killed), "nothing");
  EXPECT_EQ(count_of(whole), "2 of 12 steps were skipped because of NaN or Inf");
  train(arguments("other"), {.observers = {&untouched}});
  EXPECT_EQ(count_of(untouched), "nothing");
}

// Weights that an update made infinite must not replace a good checkpoint, which rotation would
// then remove.
TEST_F(RunPolicy, NonFiniteWeightsAreNotSaved) {
  struct Overflow : Observer {
    void on_step_end(const TrainView& view) override {
      if (view.state.global_step == 8) view.model.all_weights().as<float>()[5] = HUGE_VALF;
    }
  } overflow;
  TrainingArguments a = arguments("out");
  a.save_steps = 4.0;
  a.save_total_limit = 1;
  const Error error =
      expect_error(ErrorCode::kNonFinite, [&] { train(a, {.observers = {&overflow}}); });
  EXPECT_EQ(error.place().text(), "step 8");
  EXPECT_TRUE(error.reason().starts_with("the update made NaN or Inf in ")) << error.reason();
  EXPECT_NE(error.reason().find("checkpoint-4 is kept"), std::string::npos) << error.reason();
  EXPECT_EQ(names_in("out"), (Names{"checkpoint-4", "log.jsonl", "logs"}));
  a.resume_from_checkpoint = "last";
  EXPECT_EQ(train(a).global_step, 12);
}

// The loss stays finite: the last LayerNorm's input is zeros, whose gradient it divides by the
// root of epsilon.
TEST_F(RunPolicy, NonFiniteGradientNamesStepExamplesAndTensor) {
  struct Overflow : Observer {
    void on_step_end(const TrainView& view) override {
      if (view.state.global_step != 4) return;
      const std::map<std::string, float> values = {{"attention.output.LayerNorm.weight", 0.0f},
                                                   {"attention.output.LayerNorm.bias", 0.0f},
                                                   {"output.dense.weight", 0.0f},
                                                   {"output.dense.bias", 0.0f},
                                                   {"output.LayerNorm.weight", 3e37f}};
      for (const Parameter& parameter : view.model.parameters()) {
        for (const auto& [name, value] : values) {
          if (!parameter.name.ends_with("layer.1." + name)) continue;
          float* weights = view.model.all_weights().as<float>() + parameter.offset;
          std::fill_n(weights, parameter.size, value);
          ++set;
        }
      }
    }
    size_t set = 0;
  } overflow;
  TrainingArguments a = arguments("out");
  a.save_steps = 4.0;
  const Error error =
      expect_error(ErrorCode::kNonFinite, [&] { train(a, {.observers = {&overflow}}); });
  EXPECT_EQ(overflow.set, 5u);
  EXPECT_EQ(error.place().text(), "step 5");
  const std::string& reason = error.reason();
  EXPECT_TRUE(reason.starts_with("NaN or Inf in the gradient of bert.")) << reason;
  EXPECT_NE(reason.find("examples wh"), std::string::npos) << reason;
  EXPECT_NE(reason.find("checkpoint-4 is kept"), std::string::npos) << reason;
}

TEST_F(RunPolicy, RunOfNothingButNonFiniteStepsKeepsItsWeights) {
  TrainingArguments a = arguments("out"), one = arguments("one");
  for (TrainingArguments* options : {&a, &one}) {
    options->learning_rate = 1e30;
    options->lr_scheduler_type = ScheduleKind::kConstant;
    options->on_nonfinite = OnNonFinite::kSkip;
  }
  one.max_steps = 1;
  train(one);
  Recorder recorder;
  train(a, {.observers = {&recorder}});
  EXPECT_TRUE(same_weights("out/trained", "one/trained"));
  EXPECT_EQ(std::count_if(recorder.notices.begin(), recorder.notices.end(),
                          [](const std::string& notice) {
                            return notice.find("is skipped") != std::string::npos;
                          }),
            11);
}

TEST_F(RunPolicy, StrategyBestSavesWhenAnEvaluationIsTheBestSoFar) {
  TrainingArguments a = ever_worse("worse"), b = ever_worse("better");
  b.greater_is_better = false;
  for (TrainingArguments* options : {&a, &b}) {
    options->save_strategy = SaveStrategy::kBest;
    options->load_best_model_at_end = true;
    Recorder recorder;
    const TrainResult result = train(*options, {.observers = {&recorder}});
    Names expected;
    double best = std::nan("");
    const std::vector<double> losses = evaluation_losses(recorder);
    ASSERT_EQ(losses.size(), 5u);
    for (size_t i = 0; i < losses.size(); ++i) {
      const bool better = *options->greater_is_better ? losses[i] > best : losses[i] < best;
      if (!better && !std::isnan(best)) continue;
      best = losses[i];
      expected.push_back("checkpoint-" + std::to_string(6 * (i + 1)));
    }
    EXPECT_EQ(recorder.saves, expected);
    EXPECT_EQ(result.best_checkpoint.filename().string(), expected.back());
    EXPECT_TRUE(read_file(result.best_checkpoint / "model.safetensors") ==
                read_file(result.trained / "model.safetensors"));
  }
  EXPECT_EQ(names_in("worse"), (Names{"checkpoint-6", "log.jsonl", "logs", "trained"}));
  EXPECT_GT(names_in("better").size(), 4u);
}

TEST_F(RunPolicy, EarlyStopEndsWithTheBestWeights) {
  TrainingArguments a = ever_worse("out");
  a.load_best_model_at_end = true;
  a.early_stopping_patience = 2;
  Recorder recorder;
  const TrainResult result = train(a, {.observers = {&recorder}});
  const std::vector<double> losses = evaluation_losses(recorder);
  ASSERT_EQ(losses.size(), 3u);
  ASSERT_TRUE(losses[1] < losses[0] && losses[2] < losses[0]);
  EXPECT_EQ(result.global_step, 18);
  EXPECT_EQ(result.best_checkpoint.filename(), "checkpoint-6");
  EXPECT_TRUE(same_weights("out/trained", "out/checkpoint-6"));
  EXPECT_FALSE(same_weights("out/trained", "out/checkpoint-18"));
  EXPECT_EQ(bytes("out/trained/spanforge.json"), bytes("out/checkpoint-6/spanforge.json"));
}

TEST_F(RunPolicy, PolynomialScheduleEndsAboveZeroAndRefusesToStartBelowItsEnd) {
  for (const double rate : {1e-7, 1e-8, 0.0}) {
    TrainingArguments a = arguments("out");
    a.lr_scheduler_type = ScheduleKind::kPolynomial;
    a.learning_rate = rate;
    const Error error = expect_error(ErrorCode::kUsage, [&] { train(a); });
    EXPECT_EQ(error.parameter(), "learning_rate");
    EXPECT_NE(error.reason().find("1e-07"), std::string::npos) << error.reason();
    EXPECT_FALSE(std::filesystem::exists(at("out")));
  }
  TrainingArguments a = arguments("out");
  a.lr_scheduler_type = ScheduleKind::kPolynomial;
  a.learning_rate = 2e-7;
  a.logging_steps = 1.0;
  Recorder recorder;
  train(a, {.observers = {&recorder}});
  double before = 3e-7;
  for (size_t step = 0; step < 12; ++step) {
    const double rate = *recorder.unrounded_lines[step].number("learning_rate");
    EXPECT_LT(rate, before);
    EXPECT_NEAR(rate, 1e-7 + 1e-7 * (12.0 - static_cast<double>(step)) / 12.0, 1e-20);
    before = rate;
  }
}

// A run reports at its start what may differ from the user's intention, or refuses it.
TEST_F(RunPolicy, SaysWhatIsLessThanItMayHaveBeen) {
  const auto notices_of = [&](const TrainingArguments& a) {
    Recorder recorder;
    train(a, {.observers = {&recorder}});
    return join(recorder.notices, "\n");
  };
  const TrainingArguments sound = arguments("out");
  const std::string plain = notices_of(sound);
  EXPECT_EQ(plain.find("rows of embeddings"), std::string::npos) << plain;
  EXPECT_EQ(plain.find("more than 1 %"), std::string::npos) << plain;

  Json data = parse_json(bytes("train.json"), "t", ErrorCode::kBadData);
  data["data"][1]["answers"][0]["answer_start"] = 1;
  write_file_atomic(at("train.json"), dump_python_json(data));
  TrainingArguments dropping = arguments("dropping");
  dropping.on_bad_answer = BadAnswerPolicy::kDrop;
  EXPECT_NE(notices_of(dropping).find("1 answers, more than 1 %"), std::string::npos);

  Names words;
  std::istringstream vocabulary(bytes("model/vocab.txt"));
  for (std::string word; std::getline(vocabulary, word);) words.push_back(word);
  for (const char* file : {"tokenizer.json", "vocab.txt"})
    std::filesystem::remove(at("model") / file);
  write_file_atomic(at("model/vocab.txt"),
                    join(std::span(words).first(words.size() - 2), "\n") + "\n");
  dropping.output = at("cut-off");
  EXPECT_NE(notices_of(dropping).find(fmt::format("has {} tokens, the model has {} rows",
                                                  words.size() - 2, words.size())),
            std::string::npos);
}

// A model may have been changed on purpose, by another tool or by hand: a note says so, and the
// files' contents decide.
TEST_F(RunPolicy, TrainsOnAModelThatDiffersFromItsManifestAndSaysWhat) {
  train(arguments("first"));
  const auto notices_on_first = [&](const char* output) {
    TrainingArguments a = arguments(output);
    a.model = at("first/trained").string();
    Recorder recorder;
    train(a, {.observers = {&recorder}});
    return join(recorder.notices, "\n");
  };
  const std::string changed = "changed since spanforge saved it: ";
  EXPECT_EQ(notices_on_first("untouched").find(changed), std::string::npos);
  std::string weights = bytes("first/trained/model.safetensors");
  weights[weights.size() - 9] ^= 1;  // a digit of a weight: the structure stays valid
  write_file_atomic(at("first/trained/model.safetensors"), weights);
  write_file_atomic(at("first/trained/config.json"), bytes("first/trained/config.json") + "\n");
  EXPECT_NE(notices_on_first("changed").find(changed + "config.json, model.safetensors"),
            std::string::npos);
  // A half-written file is detected by its structure.
  write_file_atomic(at("first/trained/model.safetensors"), weights.substr(0, weights.size() / 2));
  const Error error = expect_error(ErrorCode::kBadModel, [&] { notices_on_first("cut-off"); });
  EXPECT_NE(error.file().find("model.safetensors"), std::string::npos) << error.what();
  EXPECT_FALSE(std::filesystem::exists(at("cut-off")));
}

}  // namespace
}  // namespace spanforge
