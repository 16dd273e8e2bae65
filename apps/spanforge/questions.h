#pragma once
// The file behind `ask --input`: JSON lines with question, context and, if any, id.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/inference/pipeline.h"

namespace spanforge::app {

struct Asked {
  QuestionContext text;
  std::optional<std::string> id;  // as JSON; a number is as the file writes it, however long
};

// Empty lines are skipped. Errors: Error{kBadData} naming file and line; Error{kIo}.
std::vector<Asked> read_questions(const std::string& file);
// The same from the file's bytes.
std::vector<Asked> parse_questions(std::string_view bytes, const std::string& file);

}  // namespace spanforge::app
