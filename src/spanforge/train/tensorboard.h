#pragma once
// What: a run as TensorBoard events: what HF's callback writes (train/*, eval/*, the texts args and
//   model_config) and the recipe's n-best scalars and texts for every validation question:
//   qa_rank/ID, qa_score/ID, qa_debug/ID, top1_rank/ID, top1_score/ID, top1_debug/ID,
//   qa_topk_recall.
// Resume: the file is cut back to where it was when the checkpoint was saved, so no step comes
// twice.

#include <filesystem>
#include <optional>

#include "spanforge/formats/tfevents.h"
#include "spanforge/train/observer.h"

namespace spanforge {

class TensorBoard : public Observer {
 public:
  // replace_files: a run that starts from the beginning removes the event files it finds.
  TensorBoard(std::filesystem::path directory, bool replace_files)
      : directory_(std::move(directory)), replace_files_(replace_files) {}
  std::string name() const override { return "tensorboard"; }
  void on_train_begin(const TrainView& view) override;
  void on_log(const TrainView& view, const LogLine& line, const LogLine& unrounded) override;
  void on_evaluate(const TrainView& view, const Dataset& validation, const Evaluation& evaluation,
                   const LogLine& metrics) override;
  void on_before_save(const TrainView& view) override;
  void on_train_end(const TrainView& view) override;
  Json save_state() const override;
  void load_state(const Json& state) override;

 private:
  bool reopen();
  std::filesystem::path directory_;
  bool replace_files_;
  std::optional<EventWriter> writer_;
  std::string saved_file_;  // of the resumed checkpoint
  uint64_t saved_offset_ = 0;
  int64_t epoch_step_ = -1;  // train/epoch comes with every log line, but once a step
};

}  // namespace spanforge
