// The checkpoints of a run.

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/run.h"

namespace spanforge {

// Before a save: rank 0, which writes, gets the others' parts of the optimiser's state.
void TrainingRun::gather_state() {
  if (!state_.optimizer.is_divided() || has_whole_state_) return;
  spanforge::gather_state(group_, gradient_sum_->division(), state_.optimizer);
  has_whole_state_ = true;
}

void TrainingRun::begin_save() {
  complete_save();
  require_finite_state();
  output_.begin(
      checkpoint_name(state_.global_step), checkpoint_bytes(*setup_.model, state_.optimizer),
      [this, next_rate = rate(state_.global_step)](DirectoryWriter& writer) {
        write_checkpoint_tensors(*setup_.model, *optimizer_, state_, arguments_, next_rate, writer);
      });
}

void TrainingRun::save(bool interruption) {
  if (!output_.begun(checkpoint_name(state_.global_step))) begin_save();
  const bool saves_best = state_.best_global_step == state_.global_step && !interruption;
  if (saves_best) best_checkpoint_ = output_.checkpoint(state_.global_step);
  for (Observer* observer : observers_) observer->on_before_save(view());
  const CheckpointSource source{arguments_,
                                plan_,
                                state_,
                                *setup_.model,
                                setup_.tokenizer,
                                answer_settings(state_.fitted),
                                setup_.data_files,
                                observers_,
                                rate(state_.global_step),
                                best_checkpoint_,
                                interruption};
  output_.finish([&](DirectoryWriter& writer) { write_checkpoint_state(source, writer); });
  settling_save_ = SettlingSave{state_.global_step, interruption, state_.best_global_step};
  if (saves_at_once_) complete_save();
}

void TrainingRun::complete_save() {
  if (!settling_save_) return;
  const SettlingSave save = *std::exchange(settling_save_, std::nullopt);
  output_.wait();
  saved_step_ = save.step;
  remove_interruption_checkpoints(/*finished=*/false);
  if (!save.interruption) rotate(save.best);
  for (Observer* observer : observers_) observer->on_save(view(), output_.checkpoint(save.step));
}

AnswerSettings TrainingRun::answer_settings(const FittedSettings& fitted) const {
  AnswerSettings settings = setup_.answer_settings;
  settings.decoder.temperature = fitted.temperature;
  settings.decoder.null_threshold = fitted.null_threshold;
  return settings;
}

// best: not the state's, because an evaluation may have moved that to a future checkpoint.
void TrainingRun::rotate(std::optional<int64_t> best) {
  if (!arguments_.save_total_limit) return;
  std::vector<int64_t> steps = output_.checkpoints();
  std::erase_if(steps, [&](int64_t step) { return step > saved_step_; });
  for (const int64_t step :
       checkpoints_to_remove(steps, *arguments_.save_total_limit, saved_step_, best)) {
    output_.remove(output_.checkpoint(step).filename().string());
  }
}

// Checkpoints of stop requests are removed once there is a newer one to resume from. When trained/
// is in place, none is needed.
void TrainingRun::remove_interruption_checkpoints(bool finished) {
  for (const int64_t step : output_.checkpoints()) {
    const auto checkpoint = output_.checkpoint(step);
    if ((finished || step < saved_step_) && is_interruption_checkpoint(checkpoint)) {
      output_.remove(checkpoint.filename().string());
    }
  }
}

void TrainingRun::interrupt() {
  gather_state();
  lead([&] {
    complete_save();
    if (saved_step_ != state_.global_step || state_.due.any()) save(/*interruption=*/true);
    complete_save();
  });
  throw Error(
      ErrorCode::kInterrupted, output_.checkpoint(state_.global_step).string(),
      fmt::format("stopped on request after step {}; `resume_from_checkpoint` last continues",
                  state_.global_step));
}

}  // namespace spanforge
