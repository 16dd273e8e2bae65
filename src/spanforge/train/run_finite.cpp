// What a run does about NaN and Inf.

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/parallel/together.h"
#include "spanforge/train/run.h"

namespace spanforge {

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
    // Not by memcpy, which may not get null: windows may be empty.
    std::copy_n(text.data(), text.size(), reinterpret_cast<char*>(windows.data()));
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

}  // namespace spanforge
