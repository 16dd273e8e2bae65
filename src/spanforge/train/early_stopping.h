#pragma once
// HF's EarlyStoppingCallback: ends the training after `patience` consecutive evaluations without a
// better metric. Better means by more than `threshold`, compared with the best before the
// evaluation.

#include <cstdint>
#include <string>

#include "spanforge/train/observer.h"

namespace spanforge {

bool is_better(double value, double best, bool greater_is_better);

class EarlyStopping : public Observer {
 public:
  EarlyStopping(int64_t patience, double threshold) : patience_(patience), threshold_(threshold) {}
  std::string name() const override { return "early_stopping"; }
  void on_evaluate(const TrainView& view, const Dataset& validation, const Evaluation& evaluation,
                   const LogLine& metrics) override;
  bool wants_stop() const override { return counter_ >= patience_; }
  Json save_state() const override;
  void load_state(const JsonView& state) override;

 private:
  int64_t patience_;
  double threshold_;
  int64_t counter_ = 0;
};

}  // namespace spanforge
