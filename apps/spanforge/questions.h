#pragma once
// The rows behind `ask --input`: JSON lines with question, context and, if any, id. The keys may
// have the names of data/keys.h.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/input_file.h"

namespace spanforge::app {

struct Asked {
  QuestionContext text;
  std::optional<std::string> id;  // as JSON; a number is as the file writes it, however long
};

// A row, or why it is none: Error{kBadData} naming file and line. Of a bad row, what could be read.
struct QuestionRow {
  Asked asked;
  size_t line = 0;  // of the file, from 1
  std::optional<Error> error;
};
QuestionRow parse_question_row(std::string_view line, const std::string& file, size_t number);

// Reads the rows of an input one after the other. Blank lines and a byte order mark are skipped.
class QuestionReader {
 public:
  explicit QuestionReader(const std::string& file);  // Error{kIo}
  // Error{kBadData} for the first bad row, and where there is none at all. Only of a regular file:
  // what comes by a pipe is not there yet.
  void check_all();
  // nullopt: the end.
  std::optional<QuestionRow> next();
  bool ready() { return lines_.ready(); }  // as InputLines
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  InputLines lines_;
  size_t number_ = 0;
};

}  // namespace spanforge::app
