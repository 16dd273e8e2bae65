#include "spanforge/train/data_order.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/random.h"
#include "spanforge/train/arguments.h"

namespace spanforge {
namespace {

// Separates the shuffle's random stream from the seed's other uses.
constexpr uint64_t kOrderStream = 0x6F72646572ull;

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

// HF's compute_steps: a value below 1 is a share of all steps, rounded up.
int64_t count_steps(double steps, int64_t max_steps) {
  return static_cast<int64_t>(steps < 1 ? std::ceil(static_cast<double>(max_steps) * steps)
                                        : steps);
}

int64_t bounded(const char* option, double count) {
  if (count <= kMostSteps) return static_cast<int64_t>(count);
  throw Error(ErrorCode::kUsage, {.parameter = std::string(option)},
              fmt::format("makes a run of {} steps or windows; at most {} are possible", count,
                          kMostSteps));
}

// The length of a run.
struct RunLength {
  int64_t steps = 0, epochs = 0, windows = 0;
};

// The first `steps` steps. Counts windows as HF does: as if every batch were full.
RunLength length_of_steps(const TrainingArguments& a, EpochBatches& batches, int64_t steps) {
  batches.load(0);
  if (batches.epochs_are_alike()) {
    return {steps, ceil_div(steps, batches.updates()),
            bounded("max_steps", static_cast<double>(steps) *
                                     static_cast<double>(a.per_device_train_batch_size) *
                                     static_cast<double>(a.gradient_shards.value_or(1)) *
                                     static_cast<double>(a.gradient_accumulation_steps))};
  }
  RunLength run;
  while (true) {
    const int64_t taken = std::min(batches.updates(), steps - run.steps);
    run.steps += taken;
    run.windows += batches.windows_in_updates(taken);
    ++run.epochs;
    if (run.steps == steps) return run;
    batches.load(run.epochs);
  }
}

// Whole epochs and a share of the last one, rounded up to whole steps as HF does.
RunLength length_of_epochs(EpochBatches& batches, double epochs, int64_t windows) {
  RunLength run;
  run.windows = bounded("num_train_epochs", static_cast<double>(windows) * epochs);
  run.epochs = static_cast<int64_t>(std::ceil(epochs));
  const auto whole = static_cast<int64_t>(epochs);
  batches.load(0);
  if (batches.epochs_are_alike()) {
    run.steps = static_cast<int64_t>(std::ceil(epochs * static_cast<double>(batches.updates())));
    return run;
  }
  for (int64_t epoch = 0; epoch < whole; ++epoch) {
    batches.load(epoch);
    run.steps += batches.updates();
  }
  if (run.epochs == whole) return run;
  batches.load(whole);
  // Computes as HF does: ceil(2.1 x 10) is 21, but ceil((2.1 - 2) x 10) would be 2, not 1.
  const auto updates = static_cast<double>(batches.updates());
  run.steps += static_cast<int64_t>(std::ceil(epochs * updates) - std::floor(epochs) * updates);
  return run;
}

}  // namespace

TrainPlan make_plan(const TrainingArguments& a, std::span<const Window> windows) {
  TrainPlan plan;
  plan.windows = static_cast<int64_t>(windows.size());
  EpochBatches batches(a, windows);
  const RunLength run = a.max_steps > 0
                            ? length_of_steps(a, batches, a.max_steps)
                            : length_of_epochs(batches, a.num_train_epochs, plan.windows);
  plan.max_steps = run.steps;
  plan.epochs = run.epochs;
  plan.train_samples = run.windows;
  // TrainingArguments.get_warmup_steps: that of Transformers 5 if warmup_steps is given, that of
  // 4.57 if the ratio is. A ratio of 1 means all steps, warmup_steps of 1 means one step.
  plan.warmup_steps = a.warmup_steps > 0   ? count_steps(a.warmup_steps, plan.max_steps)
                      : a.warmup_ratio < 1 ? count_steps(a.warmup_ratio, plan.max_steps)
                                           : plan.max_steps;
  plan.logging_steps = count_steps(a.logging_steps, plan.max_steps);
  plan.eval_steps = count_steps(a.eval_steps_in_effect(), plan.max_steps);
  plan.save_steps = count_steps(a.save_steps, plan.max_steps);
  return plan;
}

std::vector<int32_t> epoch_order(WindowOrder order, uint64_t seed, int64_t epoch, int64_t windows) {
  std::vector<int64_t> permutation;
  if (order == WindowOrder::kHf) {
    permutation = torch_randperm(windows, seed + static_cast<uint64_t>(epoch));
  } else if (order == WindowOrder::kShuffle) {
    permutation = counter_permutation(
        windows, combine(combine(seed, kOrderStream), static_cast<uint64_t>(epoch)));
  } else {
    permutation.resize(static_cast<size_t>(windows));
    std::iota(permutation.begin(), permutation.end(), int64_t{0});
  }
  return {permutation.begin(), permutation.end()};
}

namespace {

// Where each piece of `order` begins, and its end: pieces of at most `most` windows and, unless it
// is one window, `most_tokens` tokens.
std::vector<size_t> cut_order(std::span<const int32_t> order, std::span<const Window> lengths,
                              int64_t most, int64_t most_tokens) {
  std::vector<size_t> begins = {0};
  int64_t tokens = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    const int64_t length = lengths[static_cast<size_t>(order[i])].length;
    const auto held = static_cast<int64_t>(i - begins.back());
    if (held == most || (held > 0 && tokens + length > most_tokens)) {
      begins.push_back(i);
      tokens = 0;
    }
    tokens += length;
  }
  begins.push_back(order.size());
  return begins;
}

int64_t most_tokens_of(const TrainingArguments& a) {
  return a.max_tokens_per_batch.value_or(std::numeric_limits<int64_t>::max());
}

}  // namespace

std::vector<std::vector<int32_t>> deal_to_shards(std::span<const int32_t> micro_batch,
                                                 std::span<const Window> windows,
                                                 const TrainingArguments& a) {
  const auto length = [&](size_t i) {
    return int64_t{windows[static_cast<size_t>(micro_batch[i])].length};
  };
  const auto count = static_cast<size_t>(a.gradient_shards.value_or(1));
  std::vector<size_t> longest_first(micro_batch.size());
  std::iota(longest_first.begin(), longest_first.end(), size_t{0});
  std::stable_sort(longest_first.begin(), longest_first.end(),
                   [&](size_t one, size_t other) { return length(one) > length(other); });
  std::vector<int64_t> tokens(count);
  std::vector<size_t> shard_of(micro_batch.size());
  for (const size_t i : longest_first) {
    const auto least = std::min_element(tokens.begin(), tokens.end());
    shard_of[i] = static_cast<size_t>(least - tokens.begin());
    *least += length(i);
  }
  std::vector<std::vector<int32_t>> shards(count);
  if (*std::max_element(tokens.begin(), tokens.end()) <= most_tokens_of(a)) {
    for (size_t i = 0; i < micro_batch.size(); ++i) shards[shard_of[i]].push_back(micro_batch[i]);
    return shards;
  }
  const std::vector<size_t> cuts =
      cut_order(micro_batch, windows, a.per_device_train_batch_size, most_tokens_of(a));
  for (size_t shard = 0; shard + 1 < cuts.size(); ++shard) {
    shards[shard].assign(micro_batch.begin() + static_cast<std::ptrdiff_t>(cuts[shard]),
                         micro_batch.begin() + static_cast<std::ptrdiff_t>(cuts[shard + 1]));
  }
  return shards;
}

EpochBatches::EpochBatches(const TrainingArguments& a, std::span<const Window> windows)
    : order_(a.data_order),
      seed_(a.data_seed_in_effect()),
      batch_size_(a.per_device_train_batch_size),
      shards_(a.gradient_shards.value_or(1)),
      accumulation_(a.gradient_accumulation_steps),
      max_tokens_(most_tokens_of(a)),
      lengths_(windows) {
  int64_t longest = 0;
  for (const Window& window : windows) longest = std::max<int64_t>(longest, window.length);
  const bool bound_is_felt = longest > 0 && batch_size_ > max_tokens_ / longest;
  alike_ = !bound_is_felt || order_ == WindowOrder::kSequential;
}

void EpochBatches::load(int64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  windows_ = epoch_order(order_, seed_, epoch, static_cast<int64_t>(lengths_.size()));
  const std::vector<size_t> pieces = cut_order(windows_, lengths_, batch_size_, max_tokens_);
  begins_.clear();
  for (size_t i = 0; i + 1 < pieces.size(); i += static_cast<size_t>(shards_)) {
    begins_.push_back(pieces[i]);
  }
  begins_.push_back(windows_.size());
}

int64_t EpochBatches::updates() const { return ceil_div(count(), accumulation_); }

std::span<const int32_t> EpochBatches::batch(int64_t index) const {
  const auto i = static_cast<size_t>(index);
  return std::span(windows_).subspan(begins_[i], begins_[i + 1] - begins_[i]);
}

int64_t EpochBatches::windows_in_updates(int64_t updates) const {
  return static_cast<int64_t>(
      begins_[static_cast<size_t>(std::min(updates * accumulation_, count()))]);
}

DataOrder::DataOrder(const TrainingArguments& arguments, std::span<const Window> windows)
    : batches_(arguments, windows), accumulation_(arguments.gradient_accumulation_steps) {}

void DataOrder::seek(int64_t step) {
  if (batches_.epoch() < 0 || step < first_step_) {
    batches_.load(0);
    first_step_ = 0;
  }
  while (step - first_step_ >= batches_.updates()) {
    const int64_t epochs =
        batches_.epochs_are_alike() ? (step - first_step_) / batches_.updates() : 1;
    first_step_ += epochs * batches_.updates();
    batches_.load(batches_.epoch() + epochs);
  }
}

StepBatches DataOrder::batches_of_step(int64_t step) {
  seek(step);
  StepBatches result;
  result.epoch = batches_.epoch();
  const int64_t first = (step - first_step_) * accumulation_;
  const int64_t last = std::min(first + accumulation_, batches_.count());
  for (int64_t batch = first; batch < last; ++batch) {
    result.micro_batches.push_back(batches_.batch(batch));
    result.window_count += static_cast<int64_t>(result.micro_batches.back().size());
  }
  result.epoch_after = static_cast<double>(result.epoch) +
                       static_cast<double>(last) / static_cast<double>(batches_.count());
  result.ends_epoch = last == batches_.count();
  return result;
}

}  // namespace spanforge
