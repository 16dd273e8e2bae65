#pragma once
// What: everything of a run that changes from step to step, besides the weights: one value, and
// with
//   the weights the whole checkpoint. Nothing else needs to be restored, because order, learning
//   rate and dropout are functions of (options, step).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/train/log_line.h"
#include "spanforge/train/optimizer_state.h"

namespace spanforge {

// What an evaluation found (evaluation/evaluate.h), and the same settings before the first one.
struct FittedSettings {
  double temperature = 1.0;
  double null_threshold = 0.0;
};

// What is to be done after a step, in this order.
struct DueEvents {
  bool log = false, evaluate = false, save = false;
  bool any() const { return log || evaluate || save; }
};

struct TrainState {
  int64_t global_step = 0;  // optimiser steps done
  double epoch = 0;  // epochs done, as HF counts: (micro-batches of this epoch done) / (in all)

  OptimizerState optimizer;  // of the run's optimiser (optimizer.h)

  // Losses of steps not yet logged, and of all logged ones: loss lines and train_loss.
  double loss_since_log = 0;
  int64_t last_logged_step = 0;
  double logged_loss = 0;
  double last_grad_norm = 0;
  int64_t skipped_steps = 0;   // left out for NaN or Inf (--on-nonfinite skip)
  int64_t unknown_losses = 0;  // steps whose losses are not known: HF's checkpoints do not say

  std::optional<double> best_metric;
  std::optional<int64_t> best_global_step;
  FittedSettings fitted, best_fitted;  // by the last and by the best evaluation
  double total_flos = 0;  // 6 x tokens x weights that are no embeddings, as HF estimates
  // Events of the last step still to be done: a run that was asked to stop saves before an
  // evaluation, and its continuation begins with it.
  DueEvents due;
  std::vector<LogLine> log_history;
};

// The constants of a run, derived from options and data; HF's set_initial_training_values.
struct TrainPlan {
  int64_t windows = 0;  // training windows
  int64_t epochs = 0;   // passes begun, at most
  int64_t max_steps = 0;
  int64_t warmup_steps = 0;
  int64_t logging_steps = 0, eval_steps = 0, save_steps = 0;
  int64_t train_samples = 0;  // windows visited in all, as train_samples_per_second counts them
};

}  // namespace spanforge
