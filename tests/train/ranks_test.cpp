// Trainings by several ranks, which are threads here, each with one computing thread.

#include "parallel/ranks.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <regex>

#include "spanforge/model/model.h"
#include "spanforge/train/data_order.h"
#include "spanforge/train/gradient_sum.h"
#include "support/saving.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;

class Ranks : public testing::RunFixture {
 protected:
  // The dense weights are several blocks of the norm, so that every rank updates some.
  void SetUp() override {
    if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
    ModelConfig config = QuestionAnsweringModel::load(at("model"), 3).config();
    config.hidden_size = 64;
    config.intermediate_size = 256;
    std::filesystem::copy(at("model"), at("wide"));
    testing::save_in(at("wide"), QuestionAnsweringModel::create(config, 3));
  }

  // 4 shards of 1 window, a checkpoint every 2 steps.
  TrainingArguments sharded(const std::string& output) const {
    TrainingArguments a = with_validation(output);
    a.model = at("wide").string();
    a.per_device_train_batch_size = 1;
    a.gradient_shards = 4;
    a.save_strategy = SaveStrategy::kSteps;
    a.save_steps = 2;
    a.logging_steps = 1;
    a.logging_strategy = IntervalStrategy::kSteps;
    a.threads = 1;
    a.report_to = ReportTo::kNone;
    return a;
  }

  static void run(int ranks, const TrainingArguments& arguments) {
    testing::run_ranks(ranks, [&](Group& group) {
      TrainContext context;
      context.group = &group;
      train(arguments, context);
    });
  }

  // The log without the times of training and evaluations.
  std::string lines(const std::string& output) const {
    static const std::regex times(
        "\"eval_(runtime|samples_per_second|steps_per_second)\": [^,]*, ");
    return std::regex_replace(losses(output), times, "");
  }

  void expect_equal(const std::string& one, const std::string& other) const {
    EXPECT_EQ(lines(one), lines(other));
    EXPECT_EQ(names_in(one), names_in(other));
    for (const std::string& name : names_in(one)) {
      if (!name.starts_with("checkpoint-")) continue;
      EXPECT_EQ(bytes(one + "/" + name + "/model.safetensors"),
                bytes(other + "/" + name + "/model.safetensors"));
      EXPECT_EQ(bytes(one + "/" + name + "/optimizer.pt"),
                bytes(other + "/" + name + "/optimizer.pt"));
    }
    EXPECT_EQ(bytes(one + "/trained/model.safetensors"),
              bytes(other + "/trained/model.safetensors"));
  }
};

TEST_F(Ranks, GiveTheBitsOfOneProcess) {
  struct Row {
    const char* name;
    std::function<void(TrainingArguments&)> change;
  };
  const Row rows[] = {
      {"plain", [](TrainingArguments&) {}},
      {"accumulation", [](TrainingArguments& a) { a.gradient_accumulation_steps = 2; }},
      // The last micro-batch of an epoch has 4 windows for 8 shards.
      {"empty shards", [](TrainingArguments& a) { a.gradient_shards = 8; }},
      {"empty shards, accumulation",
       [](TrainingArguments& a) { a.gradient_shards = 8, a.gradient_accumulation_steps = 2; }},
      {"bf16", [](TrainingArguments& a) { a.bf16 = AutoBool::kTrue; }},
      {"adafactor", [](TrainingArguments& a) { a.optim = OptimizerName::kAdafactor; }},
      {"frozen embeddings", [](TrainingArguments& a) { a.freeze = {"embeddings"}; }},
      {"LoRA", [](TrainingArguments& a) { a.lora_rank = 2; }},
      {"weight decay, tokens",
       [](TrainingArguments& a) {
         a.weight_decay = 0.1;
         a.per_device_train_batch_size = 2;
         a.max_tokens_per_batch = 32;
         a.max_seq_length = 32;
         a.window_overlap = 8;
       }},
      {"best model", [](TrainingArguments& a) {
         a.save_strategy = SaveStrategy::kBest;
         a.metric_for_best_model = "f1";
         a.load_best_model_at_end = true;
         a.early_stopping_patience = 1;
       }}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto options = [&](int ranks) {
      TrainingArguments a = sharded(std::string(row.name) + " " + std::to_string(ranks));
      row.change(a);
      return a;
    };
    const std::string one = options(1).output.filename();
    train(options(1));
    for (const int ranks : {2, 4}) {
      SCOPED_TRACE(ranks);
      run(ranks, options(ranks));
      if (row.name != std::string("LoRA")) {
        expect_equal(one, options(ranks).output.filename());
      } else {
        EXPECT_EQ(lines(one), lines(options(ranks).output.filename()));
      }
    }
  }
}

// Six shards: three ranks have two each, one process all of them.
TEST_F(Ranks, MayBeAnyNumberThatGoesIntoTheShards) {
  for (const int ranks : {1, 3, 6}) {
    TrainingArguments a = sharded("six " + std::to_string(ranks));
    a.gradient_shards = 6;
    run(ranks, a);
    EXPECT_EQ(lines("six 1"), lines(a.output.filename()));
    expect_equal("six 1", a.output.filename());
  }
}

TEST_F(Ranks, ResumeEachOthersCheckpoints) {
  TrainingArguments whole = sharded("whole");
  train(whole);
  TrainingArguments first = sharded("changing");
  first.max_steps = whole.max_steps;
  // Killed on 4 ranks after step 3, then on 1, then ends on 2.
  int64_t kill_at = 3;
  for (const int ranks : {4, 1, 2}) {
    TrainingArguments a = sharded("changing");
    if (kill_at > 3) a.resume_from_checkpoint = "last";
    const std::string last = kill_at > 5 ? "" : std::to_string(kill_at);
    try {
      testing::run_ranks(ranks, [&](Group& group) {
        testing::KillAt kill(last.empty() ? -1 : kill_at);
        TrainContext context;
        context.group = &group;
        context.observers = {&kill};
        train(a, context);
      });
      EXPECT_TRUE(last.empty());
    } catch (const testing::KillAt::Killed&) {
    }
    kill_at += 2;
  }
  EXPECT_EQ(lines("whole"), lines("changing"));
  EXPECT_EQ(bytes("whole/trained/model.safetensors"), bytes("changing/trained/model.safetensors"));
}

TEST_F(Ranks, StopTogetherWhenOneIsAsked) {
  std::atomic<bool> stop{false};
  struct StopAt : Observer {
    explicit StopAt(std::atomic<bool>& asked) : flag(asked) {}
    void on_step_end(const TrainView&) override { flag = true; }
    std::atomic<bool>& flag;
  };
  std::atomic<int> interrupted{0};
  testing::run_ranks(2, [&](Group& group) {
    StopAt observer(stop);
    TrainContext context;
    context.group = &group;
    context.observers = {&observer};
    if (!group.leads()) context.stop = &stop;  // rank 0's observer asks rank 1
    try {
      train(sharded("stopped"), context);
    } catch (const Error& error) {
      interrupted += error.code() == ErrorCode::kInterrupted;
    }
  });
  EXPECT_EQ(interrupted, 2);
}

TEST_F(Ranks, RefuseToDifferAndNameTheDifference) {
  const auto difference = [&](const std::function<void(TrainingArguments&)>& change) {
    return expect_error(ErrorCode::kUsage, [&] {
      testing::run_ranks(2, [&](Group& group) {
        TrainingArguments a = sharded("different");
        if (group.rank() == 1) change(a);
        TrainContext context;
        context.group = &group;
        train(a, context);
      });
    });
  };
  const Error rate = difference([](TrainingArguments& a) { a.learning_rate = 0.5; });
  EXPECT_EQ(rate.parameter(), "learning_rate");
  EXPECT_NE(rate.reason().find("is 0.5 on rank 1"), std::string::npos) << rate.what();
  EXPECT_EQ(difference([](TrainingArguments& a) { a.train = a.validation; }).parameter(), "train");
  EXPECT_EQ(difference([](TrainingArguments& a) { a.seed = 7; }).parameter(), "seed");
  EXPECT_FALSE(std::filesystem::exists(at("different")));
}

TEST_F(Ranks, FailTogether) {
  std::mutex mutex;
  std::vector<std::string> lines;
  testing::run_ranks(3, [&](Group& group) {
    TrainingArguments a = sharded("failed");
    a.gradient_shards = 3;
    if (group.rank() == 2) a.train = at("nowhere.json");
    TrainContext context;
    context.group = &group;
    try {
      train(a, context);
    } catch (const Error& error) {
      const std::lock_guard<std::mutex> lock(mutex);
      lines.emplace_back(error.what());
      EXPECT_EQ(error.code(), ErrorCode::kIo);
    }
  });
  EXPECT_EQ(lines.size(), 3u);
  for (const std::string& line : lines) {
    EXPECT_NE(line.find("nowhere.json"), std::string::npos) << line;
  }
}

// A rate that makes the second step overflow: each rank's line names the step and its examples.
TEST_F(Ranks, NameTheExamplesOfAllWhenALossIsNotFinite) {
  const Error error = expect_error(ErrorCode::kNonFinite, [&] {
    TrainingArguments a = sharded("overflowing");
    a.learning_rate = 1e30;
    a.max_grad_norm = 0;
    run(4, a);
  });
  EXPECT_NE(error.reason().find("examples w"), std::string::npos) << error.what();
}

TEST_F(Ranks, NeedANumberThatSuitsTheShards) {
  for (const int shards : {1, 2, 4, 5}) {
    const Error error = expect_error(ErrorCode::kUsage, [&] {
      TrainingArguments a = sharded("unsuitable");
      a.gradient_shards = shards;
      run(3, a);
    });
    EXPECT_EQ(error.parameter(), "gradient_shards") << error.what();
  }
}

TEST_F(Ranks, KeepTheShardsOfTheRunThatTheyResume) {
  TrainingArguments a = sharded("kept");
  a.max_steps = 3;
  train(a);
  TrainingArguments other = a;
  other.resume_from_checkpoint = "last";
  other.gradient_shards = 2;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(other); }).parameter(), "gradient_shards");
  TrainingArguments alone = stepwise("alone");  // a run of one process has one shard
  train(alone);
  alone.resume_from_checkpoint = "last";
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { run(2, alone); }).parameter(), "gradient_shards");
  alone.gradient_shards = 4;
  EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { train(alone); }).parameter(), "gradient_shards");
}

TEST(Shards, AreOfAboutEqualTokensAndHoldEveryWindow) {
  std::vector<Window> windows(10);
  for (size_t i = 0; i < windows.size(); ++i) windows[i].length = static_cast<int32_t>(10 + 7 * i);
  const std::vector<int32_t> batch = {9, 0, 3, 4, 8, 1, 2, 6};
  TrainingArguments a;
  a.gradient_shards = 4;
  a.per_device_train_batch_size = 2;
  const auto tokens = [&](const std::vector<int32_t>& shard) {
    int64_t sum = 0;
    for (const int32_t window : shard) sum += windows[static_cast<size_t>(window)].length;
    return sum;
  };
  const auto shards = deal_to_shards(batch, windows, a);
  ASSERT_EQ(shards.size(), 4u);
  std::vector<int32_t> all;
  for (const auto& shard : shards) {
    EXPECT_NEAR(static_cast<double>(tokens(shard)), 304 / 4.0, 20);
    all.insert(all.end(), shard.begin(), shard.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<int32_t>{0, 1, 2, 3, 4, 6, 8, 9}));

  // Dealt by length, shards would exceed the limit: the pieces of the order hold it.
  a.max_tokens_per_batch = 73;
  const auto bounded = deal_to_shards(std::vector<int32_t>{9, 0, 1, 2, 8}, windows, a);
  for (const auto& shard : bounded) EXPECT_LE(tokens(shard), 73);
}

TEST(Shards, SuitRanksIfTheSumIsATree) {
  for (const int64_t shards : {1, 2, 3, 4, 5, 6, 7, 8}) EXPECT_TRUE(shards_suit(shards, 1));
  EXPECT_TRUE(shards_suit(6, 3));
  EXPECT_TRUE(shards_suit(12, 3));
  EXPECT_FALSE(shards_suit(6, 2));  // a rank's three shards are no part of the tree
  EXPECT_FALSE(shards_suit(4, 3));
  EXPECT_FALSE(shards_suit(2, 4));
}

}  // namespace
}  // namespace spanforge
