#include "questions.h"

#include <fmt/core.h>

#include "spanforge/base/json_reader.h"
#include "spanforge/data/keys.h"

namespace spanforge::app {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Takes a text out of the row. If it is missing, the error has the first of its names.
template <class Names>
std::string text_of(const Json& row, const Names& names, const ErrorPlace& place) {
  const std::string_view name = keys::present(row, names);
  const Json* found = name.empty() ? nullptr : row.find(name);
  if (found == nullptr || !found->is_string() || found->as_string().empty()) {
    throw Error(
        ErrorCode::kBadData, place,
        fmt::format("'{}' must be a text that is not empty", name.empty() ? names.front() : name));
  }
  return found->get<std::string>();
}

// The digits of a numeric id, as in the row. A double would be another number if the file has more
// digits.
std::string id_digits(std::string_view line, std::string_view id, const std::string& file,
                      size_t number) {
  JsonReader in(line, file, ErrorCode::kBadData, {.first_line = number});
  std::string key;
  for (in.begin_object(); in.next_key(key);) {
    in.skip_value();
    if (key == id) break;
  }
  return std::string(in.last_text());
}

void parse(std::string_view line, const std::string& file, size_t number, Asked& asked) {
  const Json row = parse_json_line(line, file, number, ErrorCode::kBadData);
  const ErrorPlace place{.file = file, .where = fmt::format("line {}", number)};
  if (!row.is_object()) {
    throw Error(ErrorCode::kBadData, place, "must be an object with question and context");
  }
  if (const std::string_view key = keys::present(row, keys::kId); !key.empty()) {
    const Json& id = *row.find(key);
    asked.id = id.is_number() ? id_digits(line, key, file, number)
                              : dump_python_json(id, {.ensure_ascii = false});
    asked.text.id = id.is_string() ? id.get<std::string>() : *asked.id;
  }
  asked.text.question = text_of(row, keys::kQuestion, place);
  asked.text.context = text_of(row, keys::kContext, place);
}

}  // namespace

QuestionRow parse_question_row(std::string_view line, const std::string& file, size_t number) {
  QuestionRow row{{}, number, std::nullopt};
  try {
    parse(line, file, number, row.asked);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadData) throw;
    row.error = error;
  }
  return row;
}

QuestionReader::QuestionReader(const std::string& file)
    : name_(input_name(file).string()), lines_(file) {}

void QuestionReader::check_all() {
  if (!lines_.is_regular()) return;
  bool any = false;
  while (const std::optional<QuestionRow> row = next()) {
    if (row->error) throw Error(*row->error);
    any = true;
  }
  if (!any) throw Error(ErrorCode::kBadData, name_, "holds no question");
  lines_.rewind();
  number_ = 0;
}

std::optional<QuestionRow> QuestionReader::next() {
  while (const std::optional<std::string> line = lines_.next()) {
    std::string_view text = *line;
    if (number_++ == 0 && text.starts_with(kByteOrderMark))
      text.remove_prefix(kByteOrderMark.size());
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    return parse_question_row(text, name_, number_);
  }
  return std::nullopt;
}

}  // namespace spanforge::app
