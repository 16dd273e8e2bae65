#pragma once
// A training run on the console, as users of the Trainer know it: a bar for building windows, for
// the steps and for each evaluation on a terminal; one dict line a log on standard output; notices
// on standard error. A console that has gone away does not end the run.

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
  std::unique_ptr<ProgressBar> train_bar_, inner_bar_;  // steps; windows or evaluation within them
};

}  // namespace spanforge::app
