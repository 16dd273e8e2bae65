#pragma once
// What: Everything that changes between steps, except the weights, as one value. Together with the
//   weights it is the whole checkpoint. Nothing else needs restoring, because order, learning rate
//   and dropout are functions of (options, step).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/train/log_line.h"
#include "spanforge/train/optimizer_state.h"

namespace spanforge {

// What an evaluation fitted (evaluation/evaluate.h). Before the first one: these defaults.
struct FittedSettings {
  double temperature = 1.0;
  double null_threshold = 0.0;
};

// What to do after a step, in this order.
struct DueEvents {
  bool log = false, evaluate = false, save = false;
  bool any() const { return log || evaluate || save; }
};

struct TrainState {
  int64_t global_step = 0;  // optimiser steps done
  double epoch = 0;  // epochs done, as HF counts: micro-batches of this epoch done / all of them

  OptimizerState optimizer;  // of the run's optimiser (optimizer.h)

  // Losses of steps since the last log, and of all logged steps: for loss lines and train_loss.
  double loss_since_log = 0;
  int64_t last_logged_step = 0;
  double logged_loss = 0;
  double last_grad_norm = 0;
  int64_t skipped_steps = 0;   // skipped because of NaN or Inf (--on-nonfinite skip)
  int64_t unknown_losses = 0;  // steps with unknown losses: HF's checkpoints do not have them

  std::optional<double> best_metric;
  std::optional<int64_t> best_global_step;
  FittedSettings fitted, best_fitted;  // of the last and of the best evaluation
  double total_flos = 0;  // 6 x tokens x weights that are not embeddings, as HF estimates
  // Events of the last step that are not done: a run that is asked to stop saves before it
  // evaluates, and its continuation begins with the evaluation.
  DueEvents due;
  std::vector<LogLine> log_history;
};

// The constants of a run, computed from options and data. HF's set_initial_training_values.
struct TrainPlan {
  int64_t windows = 0;  // training windows
  int64_t epochs = 0;   // passes that begin, at most
  int64_t max_steps = 0;
  int64_t warmup_steps = 0;
  int64_t logging_steps = 0, eval_steps = 0, save_steps = 0;
  int64_t train_samples = 0;  // windows visited in total, for train_samples_per_second
};

}  // namespace spanforge
