#pragma once
// Reads the rows of `ask --input`: JSON lines with question, context and, optionally, id. The keys
// may have any name in data/keys.h.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {

struct Asked {
  QuestionContext text;
  std::optional<std::string> id;  // as JSON; a number keeps the file's digits
};

// A row, or its error: Error{kBadData} naming file and line. A bad row has what could be read.
struct QuestionRow {
  Asked asked;
  size_t line = 0;  // of the file, from 1
  std::optional<Error> error;
};
QuestionRow parse_question_row(std::string_view line, const std::string& file, size_t number);

// Reads the rows of an input in order. Skips blank lines and a byte order mark.
class QuestionReader {
 public:
  explicit QuestionReader(const std::string& file);  // Error{kIo}
  // Error{kBadData} for the first bad row, or if there is none at all. Checks only a regular file,
  // because the content of a pipe is not there yet.
  void check_all();
  // nullopt: the end.
  std::optional<QuestionRow> next();
  bool ready() { return lines_.ready(); }  // InputLines::ready()
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  InputLines lines_;
  size_t number_ = 0;
};

}  // namespace spanforge::app
