#include "spanforge/train/tensorboard.h"

#include <utility>

#include <fmt/core.h>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/io/file.h"
#include "spanforge/model/trainable_model.h"
#include "spanforge/train/arguments.h"
#include "spanforge/train/train_state.h"

namespace spanforge {
namespace {

constexpr const char* kEventFiles = "events.out.tfevents.";

// HF's rewrite_logs: eval_x is eval/x, everything else train/x.
std::string scalar_tag(const std::string& key) {
  return key.starts_with("eval_") ? "eval/" + key.substr(5) : "train/" + key;
}

bool is_event_file(const std::string& name) { return name.starts_with(kEventFiles); }

// The part of a file's name that identifies its run in a shared directory; empty in a run's own.
std::string_view run_suffix(std::string_view name) {
  const size_t at = name.rfind(TensorBoard::kRunSuffix);
  return at == std::string_view::npos ? "" : name.substr(at);
}

// The recipe's text. It has "<>" if no candidate is right.
std::string debug_text(const std::string& text, int32_t rank) {
  return fmt::format("Answer: {} (Rank: {})", rank == 0 ? "<>" : text, rank);
}

}  // namespace

// A checkpoint is untrusted: its file name is only accepted if it lies in our directory.
bool TensorBoard::reopen() {
  if (!is_event_file(saved_file_) || saved_file_.find('/') != std::string::npos) return false;
  const fs::path file = directory_ / saved_file_;
  const auto size = regular_file_size(file);
  if (!size) return false;  // another directory, or the file was lost
  if (*size < saved_offset_) {
    remove_tree(file);  // a run from an earlier checkpoint truncated it: the new one replaces it
    return false;
  }
  writer_.emplace(EventWriter::reopen(file, saved_offset_));
  return true;
}

void TensorBoard::remove_earlier_files() const {
  if (!path_exists(directory_)) return;
  for (const std::string& name : list_directory(directory_)) {
    if (is_event_file(name) && run_suffix(name) == suffix_) remove_tree(directory_ / name);
  }
}

void TensorBoard::on_train_begin(const TrainView& view) {
  if (reopen()) return;
  if (view.state.global_step == 0 && replaces_) remove_earlier_files();
  writer_.emplace(EventWriter::create(directory_, suffix_));
  PythonJsonStyle style;
  style.indent = 2;
  writer_->add_text("args", dump_python_json(arguments_json(view.arguments), style), 0);
  writer_->add_text("model_config", view.model.config().to_json_text(), 0);
  for (const LogLine& line : view.state.log_history) add_line(line);
  writer_->flush();
}

void TensorBoard::on_log(const TrainView&, const LogLine&, const LogLine& unrounded) {
  add_line(unrounded);
  writer_->flush();
}

void TensorBoard::add_line(const LogLine& line) {
  const bool shows_epoch = std::exchange(epoch_step_, line.step) != line.step;
  for (const auto& [key, value] : line.values) {
    if (key == "epoch" && !shows_epoch) continue;
    if (const auto number = line.number(key)) {
      writer_->add_scalar(scalar_tag(key), *number, line.step);
    } else {
      writer_->add_text(scalar_tag(key), std::get<std::string>(value), line.step);
    }
  }
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

void TensorBoard::on_before_save(const TrainView&) { writer_->sync(); }
void TensorBoard::on_train_end(const TrainView&) { writer_->sync(); }

Json TensorBoard::save_state() const {
  if (!writer_) return nullptr;
  return {{"file", writer_->path().filename().string()},
          {"offset", writer_->offset()},
          {"epoch_step", epoch_step_}};
}

void TensorBoard::load_state(const JsonView& state) {
  if (!state.is_object()) return;
  saved_file_ = state.at("file").string();
  saved_offset_ = state.at("offset").natural();
  epoch_step_ = state.at("epoch_step").integer();
}

}  // namespace spanforge
