#pragma once
// Which windows make up which micro-batch of which step: a pure function of (options, step), so a
// resumed run continues by counting.

#include <cstdint>
#include <span>
#include <vector>

#include "spanforge/train/train_state.h"

namespace spanforge {

// The visiting order of one epoch (from 0). Order: "shuffle", "hf" (the Trainer's RandomSampler
// with torch's generator seeded seed + epoch) or "sequential".
std::vector<int32_t> epoch_order(const std::string& order, uint64_t seed, int64_t epoch,
                                 int64_t windows);

// The micro-batches of one optimiser step; the spans point into the DataOrder, until the next call.
struct StepBatches {
  int64_t epoch = 0;
  int64_t window_count = 0;
  std::vector<std::span<const int32_t>> micro_batches;
  double epoch_after = 0;  // epochs done after this step, as HF counts them
  bool ends_epoch = false;
};

class DataOrder {
 public:
  DataOrder(const TrainingArguments& arguments, const TrainPlan& plan);
  // step: optimiser steps done before.
  StepBatches batches_of_step(int64_t step);

 private:
  std::string order_;
  uint64_t seed_;
  int64_t batch_size_, accumulation_;
  TrainPlan plan_;
  int64_t epoch_ = -1;
  std::vector<int32_t> windows_;
};

}  // namespace spanforge
