#include "spanforge/train/run.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/together.h"
#include "spanforge/train/checkpoint.h"

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

bool TrainingRun::observers_want_stop() const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [](const Observer* o) { return o->wants_stop(); });
}

void TrainingRun::notify(const std::string& text) const {
  for (Observer* observer : observers_) observer->on_notice({Notice::Kind::kWarning, text});
}

}  // namespace spanforge
