#pragma once
// The file behind `ask --input`: JSON lines with question, context and, if any, id.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/inference/pipeline.h"

namespace spanforge::app {

struct Asked {
  QuestionContext text;
  std::optional<Json> id;  // as the file has it
};

// Empty lines are skipped. Errors: Error{kBadData} naming file and line; Error{kIo}.
std::vector<Asked> read_questions(const std::string& file);

}  // namespace spanforge::app
