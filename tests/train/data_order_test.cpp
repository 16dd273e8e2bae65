#include "spanforge/train/data_order.h"

#include <algorithm>
#include <numeric>

#include "spanforge/base/random.h"
#include "spanforge/train/arguments.h"
#include "support/testing.h"

namespace spanforge {
namespace {

TrainingArguments small() {
  TrainingArguments a;
  a.per_device_train_batch_size = 4;
  a.gradient_accumulation_steps = 3;
  a.num_train_epochs = 2;
  return a;
}

TEST(Plan, CountsStepsAsTheTrainer) {
  // 18 windows: 5 batches (4 4 4 4 2), groups of 3 and 2: two updates an epoch.
  const TrainPlan plan = make_plan(small(), 18);
  EXPECT_EQ(plan.batches_per_epoch, 5);
  EXPECT_EQ(plan.updates_per_epoch, 2);
  EXPECT_EQ(plan.max_steps, 4);
  EXPECT_EQ(plan.epochs, 2);
}

TEST(Plan, RoundsFractionalEpochsAndRatiosUp) {
  TrainingArguments a = small();
  a.num_train_epochs = 1.25;
  a.warmup_ratio = 0.1;
  a.logging_steps = 0.5;
  const TrainPlan plan = make_plan(a, 18);
  EXPECT_EQ(plan.max_steps, 3);
  EXPECT_EQ(plan.epochs, 2);
  EXPECT_EQ(plan.warmup_steps, 1);
  EXPECT_EQ(plan.logging_steps, 2);
}

TEST(Plan, MaxStepsStandsBeforeEpochs) {
  TrainingArguments a = small();
  a.max_steps = 7;
  const TrainPlan plan = make_plan(a, 18);
  EXPECT_EQ(plan.max_steps, 7);
  EXPECT_EQ(plan.epochs, 4);
}

TEST(DataOrder, VisitsEveryWindowOnceAnEpoch) {
  for (const char* order : {"shuffle", "hf", "sequential"}) {
    TrainingArguments a = small();
    a.data_order = order;
    const TrainPlan plan = make_plan(a, 18);
    DataOrder data(a, plan);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      std::vector<int32_t> seen;
      for (int64_t update = 0; update < plan.updates_per_epoch; ++update) {
        const StepBatches step = data.batches_of_step(epoch * plan.updates_per_epoch + update);
        EXPECT_EQ(step.epoch, epoch);
        EXPECT_EQ(step.ends_epoch, update == 1);
        EXPECT_EQ(step.micro_batches.size(), update == 0 ? 3u : 2u);
        for (const auto& batch : step.micro_batches)
          seen.insert(seen.end(), batch.begin(), batch.end());
      }
      std::sort(seen.begin(), seen.end());
      std::vector<int32_t> all(18);
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(seen, all) << order;
    }
  }
}

TEST(DataOrder, IsAFunctionOfTheStepAlone) {
  const TrainingArguments a = small();
  const TrainPlan plan = make_plan(a, 18);
  DataOrder forward(a, plan), later(a, plan);
  std::vector<int32_t> first;
  for (int64_t step = 0; step < 4; ++step) {
    const StepBatches batches = forward.batches_of_step(step);
    first.assign(batches.micro_batches[0].begin(), batches.micro_batches[0].end());
  }
  const StepBatches batches = later.batches_of_step(3);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), batches.micro_batches[0].begin()));
}

TEST(DataOrder, DataSeedStandsBeforeSeed) {
  const auto order = epoch_order("hf", 7, 2, 50);
  const auto reference = torch_randperm(50, 9);
  EXPECT_TRUE(std::equal(order.begin(), order.end(), reference.begin()));
  TrainingArguments a = small();
  a.data_seed = 7;
  a.data_order = "hf";
  DataOrder data(a, make_plan(a, 18));
  EXPECT_EQ(data.batches_of_step(0).micro_batches[0][0], epoch_order("hf", 7, 0, 18)[0]);
}

TEST(DataOrder, EpochsCountMicroBatches) {
  const TrainingArguments a = small();
  DataOrder data(a, make_plan(a, 18));
  EXPECT_EQ(data.batches_of_step(0).epoch_after, 3.0 / 5.0);
  EXPECT_EQ(data.batches_of_step(3).epoch_after, 2.0);
}

}  // namespace
}  // namespace spanforge
