#pragma once
// OUTPUT/log.jsonl: every log line with full digits and its step, one JSON object a line. Its text
// is kept in checkpoints too, so that a resumed run's file holds each step once, whatever a killed
// run had written behind its last checkpoint; as text, because a run has its lines in
// state.log_history already, and they are most of what grows in a long one.

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
