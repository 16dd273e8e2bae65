#include "console_observer.h"

#include "output.h"
#include "spanforge/base/error.h"

namespace spanforge::app {

std::unique_ptr<ProgressBar>& ConsoleObserver::bar_of(const Progress& progress) {
  return progress.stage == Progress::Stage::kTrain ? train_bar_ : inner_bar_;
}

void ConsoleObserver::erase_bars() {
  if (inner_bar_) inner_bar_->erase();
  if (train_bar_) train_bar_->erase();
}

void ConsoleObserver::on_notice(const Notice& notice) {
  erase_bars();
  note(notice.text);
}

void ConsoleObserver::on_progress(const Progress& progress) {
  if (!bars_) return;
  std::unique_ptr<ProgressBar>& bar = bar_of(progress);
  const bool is_map = progress.stage == Progress::Stage::kMap;
  if (!bar) {
    if (&bar == &inner_bar_ && train_bar_) train_bar_->erase();
    const bool is_train = progress.stage == Progress::Stage::kTrain;
    bar = std::make_unique<ProgressBar>(is_map ? "Map" : "", is_train ? "it" : "examples",
                                        progress.total, is_train ? progress.done : 0);
  }
  bar->update(progress.done);
  if (progress.done < progress.total) return;
  if (is_map || progress.stage == Progress::Stage::kTrain) bar->finish();
  bar.reset();
}

void ConsoleObserver::on_train_begin(const TrainView&) { release_notes(); }

void ConsoleObserver::on_log(const TrainView&, const LogLine& line, const LogLine&) {
  erase_bars();
  try {
    if (json_) {
      print_json(log_line_json(line));
    } else {
      print(console_line(line) + "\n");
    }
    flush_output();
  } catch (const Error&) {
    // Standard output is full or broken. log.jsonl has the line, and the run must not be lost.
  }
}

void ConsoleObserver::on_train_end(const TrainView&) { erase_bars(); }

}  // namespace spanforge::app
