#pragma once
// Shows a training run on the console as the Trainer does. On a terminal: a bar for building
// windows, one for the steps and one for each evaluation. On standard output: one dict per log
// line. On standard error: notices. If the console is closed, the run goes on.

#include <memory>

#include "progress.h"
#include "spanforge/train/observer.h"

namespace spanforge::app {

class ConsoleObserver : public Observer {
 public:
  ConsoleObserver(bool json, bool bars) : json_(json), bars_(bars) {}
  void on_notice(const Notice& notice) override;
  void on_progress(const Progress& progress) override;
  void on_train_begin(const TrainView& view) override;
  void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) override;
  void on_train_end(const TrainView& view) override;

 private:
  std::unique_ptr<ProgressBar>& bar_of(const Progress& progress);
  void erase_bars();
  bool json_, bars_;
  std::unique_ptr<ProgressBar> train_bar_,
      inner_bar_;  // for steps; for windows or an evaluation during them
};

}  // namespace spanforge::app
