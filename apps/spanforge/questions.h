#pragma once
// The file behind `ask --input`: JSON lines with question, context and, if any, id.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "spanforge/inference/pipeline.h"

namespace spanforge::app {

struct Asked {
  QuestionContext text;
  Json id;  // as the file has it, a number or a text; null: none
};

// Empty lines are skipped. Errors: Error{kBadData} naming file and line; Error{kIo}.
std::vector<Asked> read_questions(const std::string& file);

}  // namespace spanforge::app
