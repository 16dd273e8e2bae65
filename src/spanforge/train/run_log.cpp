#include "spanforge/train/run_log.h"

#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "spanforge/base/file.h"
#include "spanforge/train/train_state.h"

namespace spanforge {
namespace {

std::string json_line(const LogLine& line) { return dump_python_json(log_line_json(line)) + "\n"; }

}  // namespace

void RunLog::on_train_begin(const TrainView& view) {
  if (!loaded_) lines_ = view.state.log_history;  // HF's checkpoint: rounded, but all there is
  std::string text;
  for (const LogLine& line : lines_) text += json_line(line);
  write_file_atomic(file_, text);
  out_ = Descriptor(file_, O_WRONLY | O_APPEND);
}

void RunLog::on_log(const TrainView&, const LogLine&, const LogLine& unrounded) {
  lines_.push_back(unrounded);
  out_.write(json_line(unrounded));
}

// Until then a checkpoint holds the lines, too.
void RunLog::on_train_end(const TrainView&) {
  out_.sync();
  out_.close();
}

Json RunLog::save_state() const {
  Json lines = Json::array();
  for (const LogLine& line : lines_) lines.push_back(log_line_json(line));
  return {{"lines", std::move(lines)}};
}

void RunLog::load_state(const Json& state) {
  lines_.clear();
  for (const Json& line : state.at("lines"))
    lines_.push_back(log_line_from_json(line, "spanforge_state.json"));
  loaded_ = true;
}

}  // namespace spanforge
