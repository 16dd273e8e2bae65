#include "spanforge/train/data_order.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "spanforge/base/random.h"
#include "spanforge/train/arguments.h"

namespace spanforge {
namespace {

// Sets the shuffle's stream apart from the seed's other uses.
constexpr uint64_t kOrderStream = 0x6F72646572ull;

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// HF's compute_steps: below 1 a share of all steps, rounded up.
int64_t count_steps(double steps, int64_t max_steps) {
  return static_cast<int64_t>(steps < 1 ? std::ceil(static_cast<double>(max_steps) * steps)
                                        : steps);
}

}  // namespace

TrainPlan make_plan(const TrainingArguments& a, int64_t windows) {
  TrainPlan plan;
  plan.windows = windows;
  plan.batches_per_epoch = ceil_div(windows, a.per_device_train_batch_size);
  plan.updates_per_epoch =
      std::max<int64_t>(1, ceil_div(plan.batches_per_epoch, a.gradient_accumulation_steps));
  if (a.max_steps > 0) {
    plan.max_steps = a.max_steps;
    plan.epochs = ceil_div(a.max_steps, plan.updates_per_epoch);
    plan.train_samples =
        a.max_steps * a.per_device_train_batch_size * a.gradient_accumulation_steps;
  } else {
    plan.max_steps = static_cast<int64_t>(
        std::ceil(a.num_train_epochs * static_cast<double>(plan.updates_per_epoch)));
    plan.epochs = static_cast<int64_t>(std::ceil(a.num_train_epochs));
    plan.train_samples = static_cast<int64_t>(static_cast<double>(windows) * a.num_train_epochs);
  }
  plan.warmup_steps =
      a.warmup_steps > 0
          ? a.warmup_steps
          : static_cast<int64_t>(std::ceil(static_cast<double>(plan.max_steps) * a.warmup_ratio));
  plan.logging_steps = count_steps(a.logging_steps, plan.max_steps);
  plan.eval_steps = count_steps(a.eval_steps.value_or(a.logging_steps), plan.max_steps);
  plan.save_steps = count_steps(a.save_steps, plan.max_steps);
  return plan;
}

std::vector<int32_t> epoch_order(const std::string& order, uint64_t seed, int64_t epoch,
                                 int64_t windows) {
  std::vector<int64_t> permutation;
  if (order == "hf") {
    permutation = torch_randperm(windows, seed + static_cast<uint64_t>(epoch));
  } else if (order == "shuffle") {
    permutation = counter_permutation(
        windows, combine(combine(seed, kOrderStream), static_cast<uint64_t>(epoch)));
  } else {
    permutation.resize(static_cast<size_t>(windows));
    std::iota(permutation.begin(), permutation.end(), int64_t{0});
  }
  return {permutation.begin(), permutation.end()};
}

DataOrder::DataOrder(const TrainingArguments& arguments, const TrainPlan& plan)
    : order_(arguments.data_order),
      seed_(arguments.data_seed.value_or(arguments.seed)),
      batch_size_(arguments.per_device_train_batch_size),
      accumulation_(arguments.gradient_accumulation_steps),
      plan_(plan) {}

StepBatches DataOrder::batches_of_step(int64_t step) {
  StepBatches result;
  result.epoch = step / plan_.updates_per_epoch;
  if (result.epoch != epoch_) {
    epoch_ = result.epoch;
    windows_ = epoch_order(order_, seed_, epoch_, plan_.windows);
  }
  const int64_t first = (step % plan_.updates_per_epoch) * accumulation_;
  const int64_t last = std::min(first + accumulation_, plan_.batches_per_epoch);
  for (int64_t batch = first; batch < last; ++batch) {
    const int64_t begin = batch * batch_size_;
    const int64_t count = std::min(batch_size_, plan_.windows - begin);
    result.micro_batches.push_back(
        std::span(windows_).subspan(static_cast<size_t>(begin), static_cast<size_t>(count)));
    result.window_count += count;
  }
  result.epoch_after = static_cast<double>(result.epoch) +
                       static_cast<double>(last) / static_cast<double>(plan_.batches_per_epoch);
  result.ends_epoch = last == plan_.batches_per_epoch;
  return result;
}

}  // namespace spanforge
