#include "questions.h"

#include <fmt/core.h>

#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/json_reader.h"

namespace spanforge::app {
namespace {

std::string text_of(const Json& row, const char* key, const std::string& place) {
  const Json* found = row.find(key);
  if (found == nullptr || !found->is_string() || found->as_string().empty()) {
    throw Error(ErrorCode::kBadData, place,
                fmt::format("'{}' must be a text that is not empty", key));
  }
  return found->get<std::string>();
}

// The number that the row has for its id. A floating point number in its place would be another one
// where the file's has more digits.
std::string id_digits(std::string_view line, const std::string& file, size_t number) {
  JsonReader in(line, file, ErrorCode::kBadData, nullptr, number);
  std::string key;
  for (in.begin_object(); in.next_key(key);) {
    in.skip_value();
    if (key == "id") break;
  }
  return std::string(line.substr(in.position(), in.end_position() - in.position()));
}

Asked parse_row(std::string_view line, const std::string& file, size_t number) {
  const Json row = parse_json_line(line, file, number, ErrorCode::kBadData);
  const std::string place = fmt::format("{}: line {}", file, number);
  if (!row.is_object()) {
    throw Error(ErrorCode::kBadData, place, "must be an object with question and context");
  }
  Asked asked{{text_of(row, "question", place), text_of(row, "context", place), ""}, {}};
  if (const Json* id = row.find("id")) {
    asked.id = id->is_number() ? id_digits(line, file, number)
                               : dump_python_json(*id, {.ensure_ascii = false});
    asked.text.id = id->is_string() ? id->get<std::string>() : *asked.id;
  }
  return asked;
}

}  // namespace

std::vector<Asked> read_questions(const std::string& file) {
  return parse_questions(read_file(file), file);
}

std::vector<Asked> parse_questions(std::string_view bytes, const std::string& file) {
  std::vector<Asked> questions;
  size_t number = 0;
  for (size_t start = 0; start < bytes.size();) {
    const size_t end = std::min(bytes.find('\n', start), bytes.size());
    const std::string_view line = bytes.substr(start, end - start);
    start = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    questions.push_back(parse_row(line, file, number));
  }
  if (questions.empty()) throw Error(ErrorCode::kBadData, file, "holds no question");
  return questions;
}

}  // namespace spanforge::app
