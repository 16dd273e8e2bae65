#include "spanforge/train/data_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spanforge/base/random.h"
#include "spanforge/train/arguments.h"
#include "support/testing.h"

namespace spanforge {
namespace {

// Windows of these lengths. Without a limit on tokens only their number matters.
std::vector<Window> windows_of(const std::vector<int32_t>& lengths) {
  std::vector<Window> windows(lengths.size());
  for (size_t i = 0; i < lengths.size(); ++i) windows[i].length = lengths[i];
  return windows;
}
const std::vector<Window> kEighteen = windows_of(std::vector<int32_t>(18, 5));

TrainingArguments small() {
  TrainingArguments a;
  a.per_device_train_batch_size = 4;
  a.gradient_accumulation_steps = 3;
  a.num_train_epochs = 2;
  return a;
}

TEST(Plan, CountsStepsAsTheTrainer) {
  // 18 windows: 5 batches (4 4 4 4 2), groups of 3 and 2: two updates per epoch.
  const TrainPlan plan = make_plan(small(), kEighteen);
  EXPECT_EQ(plan.windows, 18);
  EXPECT_EQ(plan.max_steps, 4);
  EXPECT_EQ(plan.epochs, 2);
}

TEST(Plan, RoundsFractionalEpochsAndRatiosUp) {
  TrainingArguments a = small();
  a.num_train_epochs = 1.25;
  a.warmup_ratio = 0.1;
  a.logging_steps = 0.5;
  const TrainPlan plan = make_plan(a, kEighteen);
  EXPECT_EQ(plan.max_steps, 3);
  EXPECT_EQ(plan.epochs, 2);
  EXPECT_EQ(plan.warmup_steps, 1);
  EXPECT_EQ(plan.logging_steps, 2);
}

// TrainingArguments.get_warmup_steps of Transformers 5 and, for the ratio, of 4.57.
TEST(Plan, WarmUpIsStepsOrAShare) {
  struct Row {
    double steps, ratio;
    int64_t expected;
  };
  for (const Row& row : {Row{0, 0, 0}, Row{0.1, 0, 5}, Row{0.101, 0, 6}, Row{0.999, 0, 50},
                         Row{1, 0, 1}, Row{7, 0, 7}, Row{60, 0, 60}, Row{0, 0.1, 5}, Row{0, 1, 50},
                         Row{0.1, 0.2, 5}, Row{3, 0.2, 3}}) {
    SCOPED_TRACE(row.steps);
    SCOPED_TRACE(row.ratio);
    TrainingArguments a = small();
    a.max_steps = 50;
    a.warmup_steps = row.steps;
    a.warmup_ratio = row.ratio;
    EXPECT_EQ(make_plan(a, kEighteen).warmup_steps, row.expected);
  }
}

TEST(Plan, MaxStepsStandsBeforeEpochs) {
  TrainingArguments a = small();
  a.max_steps = 7;
  const TrainPlan plan = make_plan(a, kEighteen);
  EXPECT_EQ(plan.max_steps, 7);
  EXPECT_EQ(plan.epochs, 4);
}

TEST(DataOrder, VisitsEveryWindowOnceAnEpoch) {
  for (const WindowOrder order :
       {WindowOrder::kShuffle, WindowOrder::kHf, WindowOrder::kSequential}) {
    TrainingArguments a = small();
    a.data_order = order;
    DataOrder data(a, kEighteen);
    for (int64_t epoch = 0; epoch < 2; ++epoch) {
      std::vector<int32_t> seen;
      for (int64_t update = 0; update < 2; ++update) {
        const StepBatches step = data.batches_of_step(epoch * 2 + update);
        EXPECT_EQ(step.epoch, epoch);
        EXPECT_EQ(step.ends_epoch, update == 1);
        EXPECT_EQ(step.micro_batches.size(), update == 0 ? 3u : 2u);
        for (const auto& batch : step.micro_batches)
          seen.insert(seen.end(), batch.begin(), batch.end());
      }
      std::sort(seen.begin(), seen.end());
      std::vector<int32_t> all(18);
      std::iota(all.begin(), all.end(), 0);
      EXPECT_EQ(seen, all) << spelling_of(order);
    }
  }
}

TEST(DataOrder, IsAFunctionOfTheStepAlone) {
  const TrainingArguments a = small();
  DataOrder forward(a, kEighteen), later(a, kEighteen);
  std::vector<int32_t> first;
  for (int64_t step = 0; step < 4; ++step) {
    const StepBatches batches = forward.batches_of_step(step);
    first.assign(batches.micro_batches[0].begin(), batches.micro_batches[0].end());
  }
  const StepBatches batches = later.batches_of_step(3);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), batches.micro_batches[0].begin()));
}

TEST(DataOrder, DataSeedStandsBeforeSeed) {
  const auto order = epoch_order(WindowOrder::kHf, 7, 2, 50);
  const auto reference = torch_randperm(50, 9);
  EXPECT_TRUE(std::equal(order.begin(), order.end(), reference.begin()));
  TrainingArguments a = small();
  a.data_seed = 7;
  a.data_order = WindowOrder::kHf;
  DataOrder data(a, kEighteen);
  EXPECT_EQ(data.batches_of_step(0).micro_batches[0][0],
            epoch_order(WindowOrder::kHf, 7, 0, 18)[0]);
}

TEST(DataOrder, EpochsCountMicroBatches) {
  const TrainingArguments a = small();
  DataOrder data(a, kEighteen);
  EXPECT_EQ(data.batches_of_step(0).epoch_after, 3.0 / 5.0);
  EXPECT_EQ(data.batches_of_step(3).epoch_after, 2.0);
}

// 40 windows of 3 to 12 tokens, no two orders of which give the same batches.
std::vector<Window> mixed_windows() {
  std::vector<int32_t> lengths;
  for (int32_t i = 0; i < 40; ++i) lengths.push_back(3 + i * 7 % 10);
  return windows_of(lengths);
}

TrainingArguments bounded(int64_t tokens, WindowOrder order = WindowOrder::kShuffle) {
  TrainingArguments a = small();
  a.max_tokens_per_batch = tokens;
  a.data_order = order;
  return a;
}

using Batches = std::vector<std::vector<int32_t>>;

Batches copy_of(const StepBatches& step) {
  Batches batches;
  for (const auto& batch : step.micro_batches) batches.emplace_back(batch.begin(), batch.end());
  return batches;
}

// All steps of a run, in order.
std::vector<Batches> run_of(const TrainingArguments& a, const std::vector<Window>& windows) {
  DataOrder data(a, windows);
  std::vector<Batches> steps;
  const int64_t count = make_plan(a, windows).max_steps;
  for (int64_t step = 0; step < count; ++step) steps.push_back(copy_of(data.batches_of_step(step)));
  return steps;
}

TEST(TokenBound, NoBatchExceedsItAndEveryWindowComesOnceAnEpoch) {
  const std::vector<Window> windows = mixed_windows();
  for (const WindowOrder order :
       {WindowOrder::kShuffle, WindowOrder::kHf, WindowOrder::kSequential}) {
    for (const int64_t bound : {12, 17, 30, 1000}) {
      SCOPED_TRACE(std::string(spelling_of(order)) + " " + std::to_string(bound));
      const TrainingArguments a = bounded(bound, order);
      DataOrder data(a, windows);
      int64_t step = 0;
      for (int64_t epoch = 0; epoch < 3; ++epoch) {
        std::vector<int32_t> seen;
        for (bool ends = false; !ends; ++step) {
          const StepBatches batches = data.batches_of_step(step);
          ASSERT_EQ(batches.epoch, epoch);
          int64_t count = 0;
          for (const auto& batch : batches.micro_batches) {
            ASSERT_GE(batch.size(), 1u);
            ASSERT_LE(batch.size(), 4u);
            int64_t tokens = 0;
            for (const int32_t w : batch) tokens += windows[static_cast<size_t>(w)].length;
            EXPECT_LE(tokens, bound);
            seen.insert(seen.end(), batch.begin(), batch.end());
            count += static_cast<int64_t>(batch.size());
          }
          EXPECT_EQ(count, batches.window_count);
          ends = batches.ends_epoch;
          EXPECT_EQ(ends, batches.epoch_after == static_cast<double>(epoch + 1));
        }
        EXPECT_EQ(seen, epoch_order(order, 42, epoch, 40)) << "in the order of the epoch";
      }
    }
  }
}

TEST(TokenBound, BatchesAreClosedOnlyWhereTheNextWindowDoesNotFit) {
  const std::vector<Window> windows = windows_of({5, 5, 5, 6, 10, 1, 1, 1, 1, 1});
  TrainingArguments a = bounded(15, WindowOrder::kSequential);
  a.gradient_accumulation_steps = 9;
  DataOrder data(a, windows);
  EXPECT_EQ(copy_of(data.batches_of_step(0)), (Batches{{0, 1, 2}, {3}, {4, 5, 6, 7}, {8, 9}}));
}

TEST(TokenBound, StepsAreAFunctionOfTheStepAlone) {
  const std::vector<Window> windows = mixed_windows();
  for (const WindowOrder order :
       {WindowOrder::kShuffle, WindowOrder::kHf, WindowOrder::kSequential}) {
    const TrainingArguments a = bounded(17, order);
    const std::vector<Batches> run = run_of(a, windows);
    ASSERT_GT(run.size(), 8u);
    DataOrder jumping(a, windows);
    for (size_t i = 0; i < run.size(); ++i) {  // forwards, backwards and over epochs
      const size_t step = i * 7 % run.size();
      EXPECT_EQ(copy_of(jumping.batches_of_step(static_cast<int64_t>(step))), run[step])
          << spelling_of(order);
      DataOrder resumed(a, windows);
      EXPECT_EQ(copy_of(resumed.batches_of_step(static_cast<int64_t>(step))), run[step])
          << spelling_of(order);
    }
  }
}

TEST(TokenBound, ABoundThatIsNeverReachedChangesNothing) {
  const std::vector<Window> windows = mixed_windows();
  for (const double epochs : {0.3, 2.0, 2.1}) {
    TrainingArguments a = small();
    a.num_train_epochs = epochs;
    TrainingArguments b = a;
    // Four windows of the longest; and one less, which no four neighbours here have, so that
    // counting epochs must give the same steps.
    for (const int64_t bound : {48, 47}) {
      b.max_tokens_per_batch = bound;
      EXPECT_EQ(run_of(a, windows), run_of(b, windows)) << epochs;
      EXPECT_EQ(make_plan(a, windows).train_samples, make_plan(b, windows).train_samples);
    }
    b.max_tokens_per_batch = 20;
    EXPECT_NE(run_of(a, windows), run_of(b, windows)) << epochs;
  }
}

// Compares the plan with the steps themselves.
TEST(TokenBound, PlansExactlyTheStepsOfItsEpochs) {
  const std::vector<Window> windows = mixed_windows();
  for (const double epochs : {1.0, 3.0, 0.4, 2.5}) {
    TrainingArguments a = bounded(17);
    a.num_train_epochs = epochs;
    const TrainPlan plan = make_plan(a, windows);
    ASSERT_GT(plan.max_steps, 1) << epochs;
    DataOrder data(a, windows);
    EXPECT_GE(data.batches_of_step(plan.max_steps - 1).epoch_after, epochs);
    EXPECT_LT(data.batches_of_step(plan.max_steps - 2).epoch_after, epochs);
    EXPECT_EQ(plan.train_samples, static_cast<int64_t>(40 * epochs));
    EXPECT_EQ(plan.epochs, static_cast<int64_t>(std::ceil(epochs)));
  }
}

TEST(TokenBound, PlansEpochsAndWindowsOfMaxSteps) {
  const std::vector<Window> windows = mixed_windows();
  TrainingArguments a = bounded(17);
  a.max_steps = 13;
  const TrainPlan plan = make_plan(a, windows);
  EXPECT_EQ(plan.max_steps, 13);
  DataOrder data(a, windows);
  int64_t visited = 0;
  for (int64_t step = 0; step < 13; ++step) visited += data.batches_of_step(step).window_count;
  EXPECT_EQ(plan.train_samples, visited);
  EXPECT_EQ(plan.epochs, data.batches_of_step(12).epoch + 1);
}

TEST(TokenBound, EpochsDifferInSteps) {
  const std::vector<Window> windows = mixed_windows();
  TrainingArguments a = bounded(17);
  a.gradient_accumulation_steps = 1;
  std::vector<int64_t> steps;
  int64_t before = 0;
  for (int epochs = 1; epochs <= 8; ++epochs) {
    a.num_train_epochs = epochs;
    const int64_t now = make_plan(a, windows).max_steps;
    steps.push_back(now - before);
    before = now;
  }
  EXPECT_NE(*std::min_element(steps.begin(), steps.end()),
            *std::max_element(steps.begin(), steps.end()))
      << "these data do not show what the other tests are for";
}

}  // namespace
}  // namespace spanforge
