#pragma once
// Writes OUTPUT/log.jsonl: every log line with full digits and its step, one JSON object per line.
// Checkpoints keep its text, too, so that a resumed run's file has each step once, even if a killed
// run logged steps after its last checkpoint. They keep it as text because state.log_history
// already has the lines, and in a long run those are most of what grows.

#include <filesystem>
#include <string>

#include "spanforge/io/descriptor.h"
#include "spanforge/train/observer.h"

namespace spanforge {

class RunLog : public Observer {
 public:
  explicit RunLog(std::filesystem::path file) : file_(std::move(file)) {}
  std::string name() const override { return "run_log"; }
  void on_train_begin(const TrainView& view) override;
  void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) override;
  void on_train_end(const TrainView& view) override;
  Json save_state() const override;
  void load_state(const JsonView& state) override;

 private:
  std::filesystem::path file_;
  Descriptor out_;
  std::string text_;
  bool loaded_ = false;
};

}  // namespace spanforge
