#include "spanforge/train/tensorboard.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/model/model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {
namespace {

constexpr const char* kEventFiles = "events.out.tfevents.";

// HF's rewrite_logs: eval_x is eval/x, everything else train/x.
std::string scalar_tag(const std::string& key) {
  return key.starts_with("eval_") ? "eval/" + key.substr(5) : "train/" + key;
}

void remove_event_files(const fs::path& directory) {
  std::error_code absent;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory, absent)) {
    if (entry.path().filename().string().starts_with(kEventFiles)) files.push_back(entry.path());
  }
  for (const fs::path& file : files) fs::remove(file, absent);
}

// The recipe's words; where no candidate is right it has "<>" for the text.
std::string debug_text(const std::string& text, int32_t rank) {
  return fmt::format("Answer: {} (Rank: {})", rank == 0 ? "<>" : text, rank);
}

}  // namespace

bool TensorBoard::reopen() {
  if (saved_file_.empty()) return false;
  const fs::path file = directory_ / saved_file_;
  std::error_code absent;
  const auto size = fs::file_size(file, absent);
  if (absent || size < saved_offset_) return false;  // another directory, or the file was lost
  writer_.emplace(EventWriter::reopen(file, saved_offset_));
  return true;
}

void TensorBoard::on_train_begin(const TrainView& view) {
  if (reopen()) return;
  if (replace_files_ && view.state.global_step == 0) remove_event_files(directory_);
  writer_.emplace(EventWriter::create(directory_));
  PythonJsonStyle style;
  style.indent = 2;
  writer_->add_text("args", dump_python_json(arguments_json(view.arguments), style), 0);
  writer_->add_text("model_config", view.model.config().to_json_text(), 0);
}

void TensorBoard::on_log(const TrainView& view, const LogLine&, const LogLine& unrounded) {
  const bool shows_epoch = epoch_step_ != view.state.global_step;
  epoch_step_ = view.state.global_step;
  for (const auto& [key, value] : unrounded.values) {
    if (key == "epoch" && !shows_epoch) continue;
    const auto number = unrounded.number(key);
    if (number) {
      writer_->add_scalar(scalar_tag(key), *number, view.state.global_step);
    } else {
      writer_->add_text(scalar_tag(key), std::get<std::string>(value), view.state.global_step);
    }
  }
  writer_->flush();
}

void TensorBoard::on_evaluate(const TrainView& view, const Dataset& validation,
                              const Evaluation& evaluation, const LogLine&) {
  const int64_t step = view.state.global_step;
  for (size_t i = 0; i < evaluation.ranks.size(); ++i) {
    const QaRank& question = evaluation.ranks[i];
    const std::string& id = validation.examples[i].id;
    writer_->add_scalar("qa_rank/" + id, question.rank, step);
    writer_->add_scalar("qa_score/" + id, question.score, step);
    writer_->add_text("qa_debug/" + id, debug_text(question.text, question.rank), step);
    writer_->add_scalar("top1_rank/" + id, 1, step);
    writer_->add_scalar("top1_score/" + id, question.top1_score, step);
    writer_->add_text("top1_debug/" + id, debug_text(question.top1_text, 1), step);
  }
  writer_->add_scalar("qa_topk_recall", evaluation.qa_topk_recall, step);
  writer_->flush();
}

void TensorBoard::on_before_save(const TrainView&) { writer_->flush(); }
void TensorBoard::on_train_end(const TrainView&) { writer_->flush(); }

Json TensorBoard::save_state() const {
  if (!writer_) return nullptr;
  return {{"file", writer_->path().filename().string()},
          {"offset", writer_->offset()},
          {"epoch_step", epoch_step_}};
}

void TensorBoard::load_state(const Json& state) {
  if (!state.is_object()) return;
  saved_file_ = state.at("file").get<std::string>();
  saved_offset_ = state.at("offset").get<uint64_t>();
  epoch_step_ = state.at("epoch_step").get<int64_t>();
}

}  // namespace spanforge
