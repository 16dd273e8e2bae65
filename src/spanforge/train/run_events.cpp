// What a run does between steps: it logs, evaluates and saves when these are due.

#include <algorithm>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/train/early_stopping.h"
#include "spanforge/train/evaluation_line.h"
#include "spanforge/train/run.h"

namespace spanforge {

// A step's events come before on_epoch_end, as in HF. But if the epoch evaluates or saves, that and
// what the step does come once, in their usual order.
void TrainingRun::end_step(bool ends_epoch) {
  state_.due = due_after_step();
  let_observers_choose(state_.due);
  if (!ends_epoch) return do_due_events();
  const DueEvents epoch = due_after_epoch();
  DueEvents later;
  if (epoch.any()) {
    later = {epoch.log, state_.due.evaluate || epoch.evaluate, state_.due.save || epoch.save};
    state_.due.evaluate = state_.due.save = false;
  }
  do_due_events();
  if (state_.due.any()) return;  // an evaluation was abandoned
  state_.due = later;
  end_epoch();
}

void TrainingRun::end_epoch() {
  for (Observer* observer : observers_) observer->on_epoch_end(view());
  let_observers_choose(state_.due);
  do_due_events();
}

void TrainingRun::let_observers_choose(DueEvents& due) {
  for (Observer* observer : observers_) observer->choose_events(view(), due);
  share(due);
}

void TrainingRun::let_observers_add(DueEvents& due) {
  for (Observer* observer : observers_) observer->add_events(due);
  share(due);
}

// Only rank 0 has observers, and only it knows of a new best model, which may have to be saved.
void TrainingRun::share(DueEvents& due) {
  group_.broadcast(std::as_writable_bytes(std::span(&due, 1)));
}

DueEvents TrainingRun::due_after_step() const {
  const int64_t step = state_.global_step;
  const bool last = step >= plan_.max_steps;
  DueEvents due;
  due.log =
      (step == 1 && arguments_.logging_first_step) ||
      (arguments_.logging_strategy == IntervalStrategy::kSteps && step % plan_.logging_steps == 0);
  due.evaluate =
      arguments_.eval_strategy == IntervalStrategy::kSteps && step % plan_.eval_steps == 0;
  due.save =
      arguments_.save_strategy == SaveStrategy::kSteps && (step % plan_.save_steps == 0 || last);
  return due;
}

DueEvents TrainingRun::due_after_epoch() const {
  return {.log = arguments_.logging_strategy == IntervalStrategy::kEpoch,
          .evaluate = arguments_.eval_strategy == IntervalStrategy::kEpoch,
          .save = arguments_.save_strategy == SaveStrategy::kEpoch};
}

void TrainingRun::do_due_events() {
  if (state_.due.log) {
    state_.due.log = false;
    log_loss();
    let_observers_add(state_.due);
  }
  if (state_.due.evaluate) {
    if (state_.due.save) {  // evaluating does not change the tensors
      gather_state();
      lead([&] { begin_save(); });
    }
    if (!evaluate_model()) return;
    state_.due.evaluate = false;
    let_observers_add(state_.due);
    state_.due.log = state_.due.evaluate = false;  // they are over
  }
  if (state_.due.save) {
    state_.due.save = false;
    gather_state();
    lead([&] { save(/*interruption=*/false); });
  }
}

void TrainingRun::log_loss() {
  const int64_t steps = state_.global_step - state_.last_logged_step;
  if (steps <= 0) return;
  const double loss = state_.loss_since_log / static_cast<double>(steps);
  const auto make_line = [&](double shown_loss, double norm) {
    LogLine line{state_.global_step, {}};
    line.set("loss", shown_loss);
    if (arguments_.max_grad_norm > 0) line.set("grad_norm", norm);
    line.set("learning_rate", rate(state_.global_step - 1));
    line.set("epoch", state_.epoch);
    return line;
  };
  state_.logged_loss += state_.loss_since_log;
  state_.loss_since_log = 0;
  state_.last_logged_step = state_.global_step;
  emit(make_line(python_round(loss, 4), static_cast<float>(state_.last_grad_norm)),
       make_line(loss, state_.last_grad_norm));
}

void TrainingRun::emit(LogLine line, LogLine unrounded) {
  state_.log_history.push_back(line);
  for (Observer* observer : observers_) observer->on_log(view(), line, unrounded);
}

bool TrainingRun::evaluate_model() {
  if (!setup_.validation) {
    throw Error(ErrorCode::kUsage, {.parameter = "validation"},
                "is needed: an observer asks for an evaluation");
  }
  EvaluationOptions options;
  options.predict.batch_size = static_cast<int32_t>(arguments_.per_device_eval_batch_size);
  if (const auto tokens = arguments_.max_tokens_per_batch) {
    options.predict.max_batch_tokens = std::min<int64_t>(*tokens, options.predict.max_batch_tokens);
  }
  options.predict.with_losses = true;
  options.decoder = setup_.answer_settings.decoder;
  options.threads = thread_count();
  options.fit = true;
  options.more_metrics = setup_.metrics.more;
  options.predict.group = &group_;
  options.predict.wants_stop = [this] { return stop_requested(); };
  options.progress = [&](int64_t done, int64_t total) {
    for (Observer* observer : observers_) {
      observer->on_progress({Progress::Stage::kEvaluate, "validation", done, total});
    }
  };
  const ValidationData& data = *setup_.validation;
  Evaluation evaluation;
  try {
    evaluation = evaluate(*setup_.model, {data.dataset, setup_.tokenizer, data.chunks}, options);
  } catch (const PredictionStopped&) {
    return false;
  }
  lead([&] { report(evaluation); });
  return true;
}

void TrainingRun::report(const Evaluation& evaluation) {
  state_.fitted = {evaluation.temperature, evaluation.null_threshold};
  LogLine metrics =
      evaluation_line(evaluation, setup_.metrics, arguments_.per_device_eval_batch_size);
  metrics.step = state_.global_step;
  const SharedCounts& shared = setup_.overlap.exact;
  if (setup_.overlap.any()) {  // its scores measure how well the model remembers
    metrics.set("eval_overlap_contexts", shared.contexts);
    metrics.set("eval_overlap_questions", shared.questions);
    metrics.set("eval_overlap_pairs", shared.pairs);
  }
  metrics.set("epoch", state_.epoch);
  emit(metrics, metrics);
  for (Observer* observer : observers_)
    observer->on_evaluate(view(), setup_.validation->dataset, evaluation, metrics);
  note_best(metrics);
  last_evaluation_ = std::move(metrics);
}

void TrainingRun::note_best(const LogLine& metrics) {
  if (!arguments_.metric_for_best_model) return;
  const std::string key = metric_key(*arguments_.metric_for_best_model);
  const auto value = metrics.number(key);
  if (!value) throw Error(ErrorCode::kInternal, {.where = key}, "is missing from an evaluation");
  const bool greater = *arguments_.greater_is_better;
  if (state_.best_metric && !is_better(*value, *state_.best_metric, greater)) return;
  state_.best_metric = *value;
  state_.best_fitted = state_.fitted;
  if (arguments_.save_strategy != SaveStrategy::kNo) state_.best_global_step = state_.global_step;
  if (arguments_.save_strategy == SaveStrategy::kBest) state_.due.save = true;
}

}  // namespace spanforge
