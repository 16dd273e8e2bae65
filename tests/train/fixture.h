#pragma once
// A tiny model, tokenizer and data set in a temporary directory, and a run over them.

#include <filesystem>
#include <string>
#include <vector>

#include "spanforge/train/trainer.h"
#include "support/testing.h"

namespace spanforge::testing {

class TrainFixture : public ::testing::Test {
 protected:
  TrainFixture();

  // A run on the tiny data: 12 questions, batches of 2, 6 steps per epoch, 2 epochs, shuffled.
  TrainingArguments arguments(const std::string& output) const;
  std::filesystem::path at(const std::string& name) const { return directory_ / name; }
  // Bytes of a file below the temporary directory. It is a failure if the file is absent.
  std::string bytes(const std::string& name) const;
  std::vector<std::string> names_in(const std::string& directory) const;

  TemporaryDirectory directory_;
};

// At the end of a step, requests a stop, or throws as a kill would.
struct KillAt : Observer {
  struct Killed {};
  explicit KillAt(int64_t at) : step(at) {}
  void on_step_end(const TrainView& view) override;
  int64_t step;
};

// Records the events, as "log 6", "evaluate 6". Checkpoints are recorded separately, because they
// come into place while training goes on.
struct Recorder : Observer {
  void on_notice(const Notice& notice) override { notices.push_back(notice.text); }
  void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) override;
  void on_evaluate(const TrainView& view, const Dataset& validation, const Evaluation& evaluation,
                   const LogLine& metrics) override;
  void on_save(const TrainView& view, const std::filesystem::path& checkpoint) override;
  void on_train_end(const TrainView& view) override { events.push_back("end"); }
  std::vector<std::string> events, notices, saves;
  std::vector<LogLine> lines, unrounded_lines;
};

// Shared by the tests of whole runs.
class RunFixture : public TrainFixture {
 protected:
  // 6 steps per epoch, a checkpoint every 4 steps, a log line every step.
  TrainingArguments stepwise(const std::string& output) const;
  TrainingArguments with_validation(const std::string& output) const;
  static TrainingArguments resumed(TrainingArguments a, const std::string& from = "last");
  void run_until_killed(TrainingArguments a, int64_t step);
  // Log lines without times.
  std::string losses(const std::string& output) const;
  void expect_equal_results(const std::string& one, const std::string& other) const;
};

}  // namespace spanforge::testing
