#include <algorithm>

#include <fmt/core.h>

#include "spanforge/io/file.h"
#include "spanforge/parallel/together.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/run.h"

namespace spanforge {

TrainResult TrainingRun::finish() {
  agree();
  if (agreed_.stop) interrupt();
  LogLine line, unrounded;
  lead([&] {
    complete_save();
    if (arguments_.load_best_model_at_end) load_best();
  });
  work_together(group_, [&] { require_finite_state(); });
  lead([&] {
    unrounded = summary(/*rounded=*/false);
    line = summary(/*rounded=*/true);
    emit(line, unrounded);
    write_trained();
    remove_interruption_checkpoints(/*finished=*/true);
    if (saved_step_ >= 0) rotate(state_.best_global_step);
    output_.remove_leftovers();
    if (state_.skipped_steps > 0) {
      notify(fmt::format("{} of {} steps were skipped because of NaN or Inf", state_.skipped_steps,
                         state_.global_step));
    }
    for (Observer* observer : observers_) observer->on_train_end(view());
  });

  TrainResult result;
  result.global_step = state_.global_step;
  result.train_loss = unrounded.number("train_loss").value_or(0);
  result.summary = std::move(line);
  result.evaluation = last_evaluation_;
  result.trained = output_.trained();
  result.best_checkpoint = best_checkpoint_;
  if (setup_.checkpoint) result.resumed_from = setup_.checkpoint->directory;
  return result;
}

void TrainingRun::load_best() {
  if (best_checkpoint_.empty()) return;
  if (state_.best_global_step == state_.global_step) return;  // the model already has these weights
  require_best();
  setup_.model->load_weights(best_checkpoint_);
}

// HF's last line. Runtime and rates are this process's; the loss is the mean over all steps.
LogLine TrainingRun::summary(bool rounded) const {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
  const auto round = [&](double value, int digits) {
    return rounded ? python_round(value, digits) : value;
  };
  const double seconds = elapsed.count();
  const auto steps = static_cast<double>(state_.global_step - first_step_);
  const double samples = steps * static_cast<double>(plan_.train_samples) /
                         static_cast<double>(std::max<int64_t>(1, plan_.max_steps));
  const auto known = static_cast<double>(state_.global_step - state_.unknown_losses);
  LogLine line{state_.global_step, {}};
  line.set("train_runtime", round(seconds, 4));
  line.set("train_samples_per_second", round(samples / seconds, 3));
  line.set("train_steps_per_second", round(steps / seconds, 3));
  line.set("total_flos", state_.total_flos);
  line.set("train_loss", known > 0 ? (state_.logged_loss + state_.loss_since_log) / known : 0.0);
  line.set("epoch", state_.epoch);
  return line;
}

void TrainingRun::write_trained() {
  const bool is_best = arguments_.load_best_model_at_end && !best_checkpoint_.empty();
  const AnswerSettings settings = answer_settings(is_best ? state_.best_fitted : state_.fitted);
  const Json notes =
      training_notes(is_best ? *state_.best_global_step : state_.global_step, setup_.data_files);
  output_.publish("trained", checkpoint_bytes(*setup_.model, {}), [&](DirectoryWriter& writer) {
    setup_.model->save(writer);
    setup_.tokenizer.save(writer);
    save_answer_settings(settings, notes, writer);
    writer.write_json("training_args.json", arguments_json(arguments_));
  });
}

}  // namespace spanforge
