#include "spanforge/train/run_log.h"

#include <fcntl.h>

#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "spanforge/io/file.h"
#include "spanforge/train/train_state.h"

namespace spanforge {
namespace {

std::string json_line(const LogLine& line) { return dump_python_json(log_line_json(line)) + "\n"; }

// A line of the log in a checkpoint, at `place`.
Json parse_line(std::string_view line, const ErrorPlace& place, size_t number) {
  try {
    return parse_json_line(line, place.file, number, ErrorCode::kBadModel);
  } catch (const Error& error) {
    throw error.with_place(place.inside(error.where()));
  }
}

}  // namespace

void RunLog::on_train_begin(const TrainView& view) {
  if (!loaded_) {  // HF's checkpoint: rounded, but complete
    for (const LogLine& line : view.state.log_history) text_ += json_line(line);
  }
  write_file_atomic(file_, text_);
  out_ = Descriptor(file_, O_WRONLY | O_APPEND);
}

void RunLog::on_log(const TrainView&, const LogLine&, const LogLine& unrounded) {
  const std::string line = json_line(unrounded);
  text_ += line;
  out_.write(line);
}

// Until the run ends, a checkpoint holds the lines, too.
void RunLog::on_train_end(const TrainView&) {
  out_.sync();
  out_.close();
}

Json RunLog::save_state() const { return {{"text", text_}}; }

void RunLog::load_state(const JsonView& state) {
  std::string text;
  if (const auto lines = state.find("lines")) {  // an older version saved them so
    for (const JsonView& line : lines->items()) text += dump_python_json(line.value()) + "\n";
  } else {
    text = state.at("text").string();
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  const ErrorPlace place = state.place();
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const Json json = parse_line(line, place, ++number);
    log_line_from_json({json, place.inside(fmt::format("line {}", number))});
    begin = end + 1;
  }
  text_ = std::move(text);
  loaded_ = true;
}

}  // namespace spanforge
