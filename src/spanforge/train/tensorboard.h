#pragma once
// What: Writes a run as TensorBoard events: those of HF's callback (train/*, eval/*, the texts args
//   and model_config) and the recipe's n-best scalars and texts for every validation question:
//   qa_rank/ID, qa_score/ID, qa_debug/ID, top1_rank/ID, top1_score/ID, top1_debug/ID,
//   qa_topk_recall.
// Resume: The file is truncated to its length at the checkpoint's save, so no step occurs twice. If
//   the file is missing (another output, HF's checkpoint) or is now shorter, a new one begins with
//   the scalars of the checkpoint's log_history.
// New run: Removes the events of an earlier run that was killed before its first checkpoint: in
//   OUTPUT/logs every event file; in a directory that runs may share, those whose names end with
//   this output's suffix.

#include <filesystem>
#include <optional>

#include "spanforge/formats/tfevents.h"
#include "spanforge/train/observer.h"

namespace spanforge {

class TensorBoard : public Observer {
 public:
  static constexpr const char* kRunSuffix =
      ".spanforge-";  // followed by a word that differs between runs
  // suffix: the end of this run's file names. replaces: the run starts from the beginning and
  // removes event files whose names end with it.
  TensorBoard(std::filesystem::path directory, bool replaces, std::string suffix = {})
      : directory_(std::move(directory)), replaces_(replaces), suffix_(std::move(suffix)) {}
  std::string name() const override { return "tensorboard"; }
  void on_train_begin(const TrainView& view) override;
  void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) override;
  void on_evaluate(const TrainView& view, const Dataset& validation, const Evaluation& evaluation,
                   const LogLine& metrics) override;
  void on_before_save(const TrainView& view) override;
  void on_train_end(const TrainView& view) override;
  Json save_state() const override;
  void load_state(const JsonView& state) override;

 private:
  bool reopen();
  void remove_earlier_files() const;
  void add_line(const LogLine& line);
  std::filesystem::path directory_;
  bool replaces_;
  std::string suffix_;
  std::optional<EventWriter> writer_;
  std::string saved_file_;  // of the checkpoint to resume from
  uint64_t saved_offset_ = 0;
  int64_t epoch_step_ = -1;  // train/epoch comes with every log line, but once per step
};

}  // namespace spanforge
