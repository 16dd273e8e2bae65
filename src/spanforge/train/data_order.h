#pragma once
// Which windows make up each micro-batch of each step: a pure function of (options, windows'
// lengths, step), so a resumed run continues by counting.
//
// A micro-batch takes the next windows of the epoch's order until it has
// per_device_train_batch_size of them, or until the next one would exceed max_tokens_per_batch. An
// optimiser step takes gradient_accumulation_steps micro-batches. No step continues after the end
// of an epoch. With gradient_shards G, a micro-batch is G such pieces of the order, as with G of
// HF's devices, and its windows are dealt to G shards (deal_to_shards). With a limit on tokens, the
// number of micro-batches, and so of steps, differs between epochs; it is counted by making each
// epoch's order in turn.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "spanforge/features/feature_set.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

// The visiting order of one epoch (from 0). kHf: the order of the Trainer's RandomSampler with
// torch's generator, seeded with seed + epoch.
std::vector<int32_t> epoch_order(WindowOrder order, uint64_t seed, int64_t epoch, int64_t windows);

// REQUIRES: no window has more than max_tokens_per_batch tokens. Cost: with a limit on tokens, one
// pass over each epoch's order; else none.
TrainPlan make_plan(const TrainingArguments& arguments, std::span<const Window> windows);

// One epoch's order, divided into micro-batches.
class EpochBatches {
 public:
  EpochBatches(const TrainingArguments& arguments, std::span<const Window> windows);

  void load(int64_t epoch);
  int64_t epoch() const { return epoch_; }
  int64_t count() const { return static_cast<int64_t>(begins_.size()) - 1; }
  int64_t updates() const;  // optimiser steps; the last may have fewer micro-batches
  std::span<const int32_t> batch(int64_t index) const;
  int64_t windows_in_updates(int64_t updates) const;  // windows in the first `updates` steps
  // True if all epochs have the same counts.
  bool epochs_are_alike() const { return alike_; }

 private:
  WindowOrder order_;
  uint64_t seed_;
  int64_t batch_size_, shards_, accumulation_, max_tokens_;
  std::span<const Window> lengths_;
  bool alike_;
  int64_t epoch_ = -1;
  std::vector<int32_t> windows_;  // in visiting order
  std::vector<size_t> begins_;    // [micro-batches + 1] into windows_
};

// The micro-batches of one optimiser step. The spans point into the DataOrder and are valid until
// the next call.
struct StepBatches {
  int64_t epoch = 0;
  int64_t window_count = 0;
  std::vector<std::span<const int32_t>> micro_batches;
  double epoch_after = 0;  // epochs done after this step, as HF counts them
  bool ends_epoch = false;
};

// A micro-batch's windows in shards of about equal numbers of tokens, each in the batch's order:
// the longest window first, each to the shard with the fewest tokens. If a shard would then have
// more than max_tokens_per_batch, the pieces of the order that made up the micro-batch are the
// shards. A shard may be empty at the end of an epoch.
std::vector<std::vector<int32_t>> deal_to_shards(std::span<const int32_t> micro_batch,
                                                 std::span<const Window> windows,
                                                 const TrainingArguments& arguments);

class DataOrder {
 public:
  // windows must outlive this.
  DataOrder(const TrainingArguments& arguments, std::span<const Window> windows);
  // step: optimiser steps done before. Cost: small if the calls follow the steps. Otherwise, if
  // epochs differ, one pass over the order of each epoch in between.
  StepBatches batches_of_step(int64_t step);

 private:
  void seek(int64_t step);
  EpochBatches batches_;
  int64_t accumulation_;
  int64_t first_step_ = 0;  // of the loaded epoch
};

}  // namespace spanforge
