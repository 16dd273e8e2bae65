#include "spanforge/train/run.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/parallel/together.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/early_stopping.h"
#include "spanforge/train/evaluation_line.h"

namespace spanforge {
namespace {

double flos_per_token(const TrainableModel& model) {
  int64_t weights = 0;
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.embedding) weights += parameter.size;
  }
  return 6.0 * static_cast<double>(weights);
}

}  // namespace

TrainingRun::TrainingRun(Setup& setup, OutputDirectory& output, std::vector<Observer*> observers,
                         const std::atomic<bool>* stop, Group& group)
    : group_(group),
      setup_(setup),
      arguments_(setup.arguments),
      plan_(setup.plan),
      output_(output),
      observers_(std::move(observers)),
      stop_(stop),
      schedule_{arguments_.lr_scheduler_type, arguments_.learning_rate, plan_.warmup_steps,
                plan_.max_steps},
      order_(arguments_, setup.train.features.windows()),
      optimizer_(make_optimizer(*setup.model, arguments_)),
      saves_at_once_(
          std::ranges::any_of(observers_, [](auto* o) { return o->wants_saves_at_once(); })),
      flos_per_token_(flos_per_token(*setup.model)) {}

TrainResult TrainingRun::run() {
  work_together(group_, [this] { begin(); });
  do_due_events();
  agree();
  bool in_epoch = false;
  while (state_.global_step < plan_.max_steps && !agreed_.finish) {
    const StepBatches batches = order_.batches_of_step(state_.global_step);
    if (!in_epoch) {
      for (Observer* observer : observers_) observer->on_epoch_begin(view());
    }
    for (Observer* observer : observers_) observer->on_step_begin(view());
    const StepGradient gradient = accumulate_gradient(batches);
    const bool finite = check_finite(gradient, batches);
    // From here on, the sources of a checkpoint change.
    if (agreed_.saving) lead([&] { output_.wait_until_filled(); });
    if (std::exchange(has_whole_state_, false)) state_.optimizer.forget_others();
    if (finite) {
      const Turn turn;
      const float clip = clip_factor(gradient.norm, arguments_.max_grad_norm);
      optimizer_->step(*setup_.model, state_.optimizer,
                       {state_.global_step + 1, rate(state_.global_step), clip});
      gradient_sum_->share_weights();
    }
    setup_.model->zero_gradients();
    count_step(batches, gradient, finite);
    in_epoch = !batches.ends_epoch && state_.global_step < plan_.max_steps;
    end_step(/*ends_epoch=*/!in_epoch);
    if (settling_save_ && !output_.busy()) complete_save();
    agree();
    if (agreed_.stop) interrupt();
  }
  if (in_epoch) {  // an observer ended the training: HF ends the epoch with it
    state_.due = due_after_epoch();
    end_epoch();
  }
  return finish();
}

void TrainingRun::lead(const std::function<void()>& work) {
  work_together(group_, [&] {
    if (group_.leads()) work();
  });
}

void TrainingRun::agree() {
  const Agreed mine{stop_requested(), observers_want_stop(), output_.writes_now()};
  agreed_ = {};
  for (const Agreed& one : group_.all_gather_value(mine)) {
    agreed_.stop |= one.stop;
    agreed_.finish |= one.finish;
    agreed_.saving |= one.saving;
  }
}

void TrainingRun::begin() {
  start_ = std::chrono::steady_clock::now();
  setup_.model->prepare_training();
  gradient_sum_.emplace(*setup_.model, group_, arguments_.gradient_shards.value_or(1),
                        optimizer_->can_be_divided());
  std::vector<ElementRange> held;
  if (gradient_sum_->divides_update()) held = gradient_sum_->division().held_by(group_.rank());
  if (setup_.checkpoint) {
    state_ = read_checkpoint_state(*setup_.checkpoint, *setup_.model, *optimizer_, observers_,
                                   best_checkpoint_, std::move(held));
    // A checkpoint outside OUTPUT cannot be fallen back to.
    if (output_.step_of(setup_.checkpoint->directory) == state_.global_step) {
      saved_step_ = state_.global_step;
    }
    if (arguments_.load_best_model_at_end && group_.leads()) expect_best();
  } else {
    state_.optimizer = optimizer_->new_state(std::move(held));
  }
  first_step_ = state_.global_step;
  for (Observer* observer : observers_) observer->on_train_begin(view());
  for (Observer* observer : observers_) {
    observer->on_progress({Progress::Stage::kTrain, "train", state_.global_step, plan_.max_steps});
  }
}

// Checks at the start, not after the last epoch. Exception: after a damaged checkpoint, steps are
// trained again. The best may have moved to that checkpoint and its predecessor been removed; the
// best will then move there again.
void TrainingRun::expect_best() const {
  const bool moved = setup_.checkpoint->is_fallback && !best_checkpoint_.empty() &&
                     !directory_exists(best_checkpoint_);
  if (!moved) return require_best();
  notify(fmt::format("{}, the best so far, is gone: a later evaluation must be better",
                     best_checkpoint_.string()));
}

void TrainingRun::require_best() const {
  if (best_checkpoint_.empty()) return;
  const std::string without =
      "; `load_best_model_at_end` false `allow_changed` "
      "load-best-model-at-end continues without it";
  if (!directory_exists(best_checkpoint_)) {
    throw Error(ErrorCode::kIo, best_checkpoint_.string(), "the best checkpoint is gone" + without);
  }
  if (!has_manifest(best_checkpoint_)) return;  // HF's checkpoint
  if (const auto difference = find_manifest_difference(best_checkpoint_)) {
    throw Error(ErrorCode::kBadModel, best_checkpoint_.string(),
                "the best checkpoint is damaged: " + *difference + without);
  }
}

TrainingRun::StepGradient TrainingRun::accumulate_gradient(const StepBatches& batches) {
  const Turn turn;
  group_.set_deadline(step_times_.deadline());
  const StepTimes::Measurement measurement(step_times_);
  bad_windows_.clear();
  // [micro-batch][shard]
  std::vector<std::vector<std::vector<int32_t>>> dealt;
  const std::span<const Window> windows = setup_.train.features.windows();
  for (const std::span<const int32_t> micro_batch : batches.micro_batches) {
    dealt.push_back(deal_to_shards(micro_batch, windows, arguments_));
    int64_t tokens = 0;
    for (const int32_t window : micro_batch) tokens += windows[window].length;
    state_.total_flos += flos_per_token_ * static_cast<double>(tokens);
  }
  std::vector<double> losses(static_cast<size_t>(gradient_sum_->shard_count()));
  for (int64_t i = 0; i < gradient_sum_->shard_count(); ++i) {
    compute_shard(dealt, gradient_sum_->first_shard() + i, batches, losses[static_cast<size_t>(i)]);
    gradient_sum_->end_shard();
  }
  StepGradient gradient;
  gradient.loss = sum_over_ranks(losses);
  gradient.norm = std::sqrt(gradient_sum_->sum_of_squares());
  return gradient;
}

void TrainingRun::compute_shard(const std::vector<std::vector<std::vector<int32_t>>>& micro_batches,
                                int64_t shard, const StepBatches& batches, double& loss) {
  const DropoutSeeds seeds{arguments_.seed, static_cast<uint64_t>(state_.global_step)};
  const bool is_last = shard == gradient_sum_->first_shard() + gradient_sum_->shard_count() - 1;
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    const std::vector<int32_t>& windows = micro_batches[i][static_cast<size_t>(shard)];
    pack_windows(setup_.train.features, windows, batch_);
    const float scale =
        micro_batch_scale(batches, static_cast<int64_t>(batches.micro_batches[i].size()));
    BackwardOptions options{
        .seeds = seeds, .gradient_scale = scale, .window_losses = &window_losses_};
    if (is_last && i + 1 == micro_batches.size()) options.on_final = gradient_sum_->on_final();
    const double sum = setup_.model->forward_backward(batch_, options, workspace_);
    loss += sum * scale;
    for (size_t w = 0; w < windows.size(); ++w) {
      if (!std::isfinite(window_losses_[w])) bad_windows_.push_back(windows[w]);
    }
  }
}

// In the order of the shards.
double TrainingRun::sum_over_ranks(const std::vector<double>& shard_losses) {
  std::vector<double> all(shard_losses.size() * static_cast<size_t>(group_.size()));
  group_.all_gather(std::as_bytes(std::span(shard_losses)), std::as_writable_bytes(std::span(all)));
  return std::accumulate(all.begin(), all.end(), 0.0);
}

float TrainingRun::micro_batch_scale(const StepBatches& batches, int64_t windows) const {
  const bool by_examples = arguments_.accumulation_mean == AccumulationMean::kExamples;
  const int64_t divisor = by_examples
                              ? batches.window_count
                              : windows * static_cast<int64_t>(batches.micro_batches.size());
  return static_cast<float>(1.0 / static_cast<double>(divisor));
}

bool TrainingRun::check_finite(const StepGradient& gradient, const StepBatches& batches) {
  if (std::isfinite(gradient.loss) && std::isfinite(gradient.norm)) return true;
  if (arguments_.on_nonfinite == OnNonFinite::kError) {
    share_bad_windows();
    const int64_t index = gradient_sum_->first_non_finite();
    complete_save();
    refuse_non_finite(gradient, index, batches);
  }
  notify(fmt::format("step {} has NaN or Inf in {} and is skipped", state_.global_step + 1,
                     std::isfinite(gradient.loss) ? "a gradient" : "its loss"));
  return false;
}

// So that rank 0's line names the examples of all.
void TrainingRun::share_bad_windows() {
  const auto bytes = std::as_bytes(std::span(bad_windows_));
  const std::string mine(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  bad_windows_.clear();
  for (const std::string& text : gather_texts(group_, mine)) {
    std::vector<int32_t> windows(text.size() / sizeof(int32_t));
    std::memcpy(windows.data(), text.data(), text.size());
    bad_windows_.insert(bad_windows_.end(), windows.begin(), windows.end());
  }
}

// An update can overflow, too. Such a state must not replace a good one.
void TrainingRun::require_finite_state() const {
  const auto refuse = [&](const std::string& where) {
    throw Error(ErrorCode::kNonFinite, {.where = fmt::format("step {}", state_.global_step)},
                fmt::format("the update made NaN or Inf in {}; {}", where, advice()));
  };
  if (group_.leads()) {  // all ranks have the same weights
    const int64_t index = ops::first_non_finite(setup_.model->all_weights());
    if (index >= 0) refuse(parameter_at(index));
  }
  for (const OptimizerState::Array& array : state_.optimizer.arrays()) {
    if (ops::first_non_finite(array.flat()) < 0) continue;
    for (const TrainedParameter& trained : optimizer_->parameters()) {
      if (array.part_of(*trained.row) == nullptr) continue;
      if (ops::first_non_finite(array.of(*trained.row)) < 0) continue;
      refuse(fmt::format("{} of {}", array.slot.name, trained.row->name));
    }
  }
}

// The name of the parameter at an index of an arena.
std::string TrainingRun::parameter_at(int64_t index) const {
  for (const Parameter& parameter : setup_.model->parameters()) {
    if (index >= parameter.offset && index < parameter.offset + parameter.size)
      return parameter.name;
  }
  return "no parameter";
}

std::string TrainingRun::advice() const {
  const auto kept = output_.checkpoints();
  return fmt::format(
      "{}; a lower `learning_rate` or `on_nonfinite` skip may help",
      kept.empty() ? "no checkpoint was saved yet" : checkpoint_name(kept.back()) + " is kept");
}

void TrainingRun::refuse_non_finite(const StepGradient& gradient, int64_t index,
                                    const StepBatches& batches) const {
  std::vector<int32_t> windows = bad_windows_;
  std::string tensor = "the loss";
  if (std::isfinite(gradient.loss)) {
    tensor = index < 0 ? "the gradients' norm" : "the gradient of " + parameter_at(index);
    for (const auto& micro : batches.micro_batches)
      windows.insert(windows.end(), micro.begin(), micro.end());
  }
  constexpr size_t kNamed = 8;
  std::vector<std::string> ids;
  for (const int32_t window : windows) {
    const auto& example =
        setup_.train.dataset.examples[setup_.train.features.windows()[window].example];
    if (std::find(ids.begin(), ids.end(), example.id) == ids.end()) ids.push_back(example.id);
  }
  std::string more;
  if (ids.size() > kNamed) {
    more = fmt::format(" and {} more", ids.size() - kNamed);
    ids.resize(kNamed);
  }
  throw Error(
      ErrorCode::kNonFinite, {.where = fmt::format("step {}", state_.global_step + 1)},
      fmt::format("NaN or Inf in {}, examples {}{}; {}", tensor, join(ids, ", "), more, advice()));
}

void TrainingRun::count_step(const StepBatches& batches, const StepGradient& gradient,
                             bool updated) {
  if (updated) {
    state_.loss_since_log += gradient.loss;
    state_.last_grad_norm = gradient.norm;
  } else {
    ++state_.skipped_steps;
    // as HF's filter: a step without a loss counts as the mean of the others
    const auto others = static_cast<double>(state_.global_step - state_.last_logged_step);
    state_.loss_since_log += others > 0 ? state_.loss_since_log / others : 0.0;
  }
  ++state_.global_step;
  state_.epoch = batches.epoch_after;
  for (Observer* observer : observers_) {
    observer->on_progress({Progress::Stage::kTrain, "train", state_.global_step, plan_.max_steps});
    observer->on_step_end(view());
  }
}

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

bool TrainingRun::observers_want_stop() const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [](const Observer* o) { return o->wants_stop(); });
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

void TrainingRun::notify(const std::string& text) const {
  for (Observer* observer : observers_) observer->on_notice({Notice::Kind::kWarning, text});
}

}  // namespace spanforge
