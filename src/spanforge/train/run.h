#pragma once
// What: The training loop. run() reads as the algorithm. Everything periodic is an observer or one
//   of the three due events (log, evaluate, save).
// Files: run.cpp has the loop and a step's gradient, run_events.cpp the events between steps,
//   run_save.cpp the checkpoints, run_finite.cpp what is done about NaN and Inf, run_finish.cpp the
//   end.
// Processes: All ranks of a group compute the same run: each has all weights and sums the gradients
//   of its shards with the others (gradient_sum.h). Each updates a part of the weights and keeps
//   its part of the optimiser's state, or, if that cannot be cut, all. Rank 0 alone logs, scores
//   and writes. It alone has observers. What only it or only one rank knows (a stop request, an
//   observer's wish to stop, a checkpoint being written) is agreed on at the end of each step.

#include <chrono>
#include <optional>
#include <vector>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/parallel/group.h"
#include "spanforge/train/data_order.h"
#include "spanforge/train/gradient_sum.h"
#include "spanforge/train/optimizer.h"
#include "spanforge/train/output_directory.h"
#include "spanforge/train/schedule.h"
#include "spanforge/train/setup.h"
#include "spanforge/train/step_times.h"
#include "spanforge/train/trainer.h"

namespace spanforge {

class TrainingRun {
 public:
  // observers: in calling order. REQUIRES: output.create() was called on rank 0.
  TrainingRun(Setup& setup, OutputDirectory& output, std::vector<Observer*> observers,
              const std::atomic<bool>* stop, Group& group);
  TrainingRun(const TrainingRun&) = delete;
  TrainingRun& operator=(const TrainingRun&) = delete;
  ~TrainingRun() { output_.give_up(); }  // the other thread reads this state and the setup's model
  TrainResult run();

 private:
  // The result of one optimiser step's backward passes, before the weights change.
  struct StepGradient {
    double loss = 0;
    double norm = 0;  // before clipping
  };

  void begin();
  void agree();  // with the other ranks
  // Runs work() on rank 0, while the others wait.
  void lead(const std::function<void()>& work);
  void compute_shard(const std::vector<std::vector<std::vector<int32_t>>>& micro_batches,
                     int64_t shard, const StepBatches& batches, double& loss);
  StepGradient accumulate_gradient(const StepBatches& batches);
  float micro_batch_scale(const StepBatches& batches, int64_t windows) const;
  double sum_over_ranks(const std::vector<double>& shard_losses);
  void share_bad_windows();
  // Error{kNonFinite}, or false with --on-nonfinite skip.
  bool check_finite(const StepGradient& gradient, const StepBatches& batches);
  [[noreturn]] void refuse_non_finite(const StepGradient& gradient, int64_t index,
                                      const StepBatches& batches) const;
  void require_finite_state() const;  // weights (rank 0) and what is held of the optimiser's state
  std::string parameter_at(int64_t index) const;
  std::string advice() const;
  void count_step(const StepBatches& batches, const StepGradient& gradient, bool updated);
  DueEvents due_after_step() const;
  DueEvents due_after_epoch() const;
  void end_step(bool ends_epoch);
  void end_epoch();
  void let_observers_choose(DueEvents& due);
  void let_observers_add(DueEvents& due);
  void share(DueEvents& due);

  void do_due_events();
  void log_loss();
  bool evaluate_model();  // false: abandoned, because the run is asked to stop
  void report(const Evaluation& evaluation);
  void note_best(const LogLine& metrics);
  void gather_state();  // all ranks call it
  void begin_save();    // starts with weights and the optimiser's state, while they do not change;
                        // save() adds the rest
  void save(bool interruption);
  void complete_save();  // waits until the checkpoint in progress is in place
  AnswerSettings answer_settings(const FittedSettings& fitted) const;
  void rotate(std::optional<int64_t> best);
  void remove_interruption_checkpoints(bool finished);
  void emit(LogLine line, LogLine unrounded);

  TrainResult finish();
  void load_best();
  void expect_best() const;
  void require_best() const;  // checks the best checkpoint, if there is one
  LogLine summary(bool rounded) const;
  void write_trained();

  bool stop_requested() const { return stop_ != nullptr && stop_->load(); }
  bool observers_want_stop() const;
  [[noreturn]] void interrupt();
  double rate(int64_t step) const { return learning_rate_at(schedule_, step); }
  TrainView view() const { return {setup_.arguments, setup_.plan, state_, *setup_.model}; }
  void notify(const std::string& text) const;

  Group& group_;
  struct Agreed {
    bool stop = false;    // any rank is asked to stop
    bool finish = false;  // an observer of rank 0 ends the training
    bool saving = false;  // rank 0 writes a checkpoint
  } agreed_;
  Setup& setup_;
  const TrainingArguments& arguments_;
  const TrainPlan& plan_;
  OutputDirectory& output_;
  std::vector<Observer*> observers_;
  const std::atomic<bool>* stop_;

  TrainState state_;
  Schedule schedule_;
  DataOrder order_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<GradientSum> gradient_sum_;  // from begin() on
  bool has_whole_state_ = false;             // gather_state() was called since the last update
  StepTimes step_times_;
  Workspace workspace_;
  PackedBatch batch_;
  std::vector<double> window_losses_;
  std::vector<int32_t> bad_windows_;  // windows of this step whose loss is not finite

  std::filesystem::path best_checkpoint_;
  std::optional<LogLine> last_evaluation_;
  // A checkpoint that is written while training goes on.
  struct SettlingSave {
    int64_t step = 0;
    bool interruption = false;
    std::optional<int64_t> best;  // the best step at that time
  };
  std::optional<SettlingSave> settling_save_;
  int64_t saved_step_ = -1;  // of the newest checkpoint that this process put in place
  bool saves_at_once_ = false;
  int64_t first_step_ = 0;  // where this process began
  double flos_per_token_ = 0;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace spanforge
