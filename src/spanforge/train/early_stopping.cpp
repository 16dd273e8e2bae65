#include "spanforge/train/early_stopping.h"

#include <cmath>

#include "spanforge/train/arguments.h"
#include "spanforge/train/evaluation_line.h"
#include "spanforge/train/train_state.h"

namespace spanforge {

bool is_better(double value, double best, bool greater_is_better) {
  return greater_is_better ? value > best : value < best;
}

void EarlyStopping::on_evaluate(const TrainView& view, const Dataset&, const Evaluation&,
                                const LogLine& metrics) {
  const auto value = metrics.number(metric_key(view.arguments.metric_for_best_model.value()));
  if (!value) return;
  const auto best = view.state.best_metric;
  const bool better =
      !best || (is_better(*value, *best, view.arguments.greater_is_better.value()) &&
                std::abs(*value - *best) > threshold_);
  counter_ = better ? 0 : counter_ + 1;
}

Json EarlyStopping::save_state() const { return {{"counter", counter_}}; }
void EarlyStopping::load_state(const JsonView& state) { counter_ = state.at("counter").integer(); }

}  // namespace spanforge
