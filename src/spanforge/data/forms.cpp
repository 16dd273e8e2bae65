#include "spanforge/data/forms.h"

#include <optional>

#include "spanforge/base/error.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/data/annotations.h"
#include "spanforge/data/table_rows.h"
#include "spanforge/data/unread_kind.h"

namespace spanforge {
namespace {

// The first object of a list or of lines; of an object by itself, itself. nullopt where it is not
// JSON, or certainly a file of SQuAD's, whose object is the whole file.
std::optional<Json> first_object(std::string_view text) {
  try {
    JsonReader in(text, "text", ErrorCode::kBadData);
    if (in.peek() == JsonReader::Kind::kArray) {
      in.begin_array();
      if (!in.next_item()) return std::nullopt;
    }
    if (in.peek() != JsonReader::Kind::kObject) return std::nullopt;
    const size_t begin = in.position();
    std::string key;
    for (in.begin_object(); in.next_key(key);) {
      const bool list = in.peek() == JsonReader::Kind::kArray;
      if (list && (key == "data" || key == "paragraphs" || key == "qas")) return std::nullopt;
      in.skip_value();
    }
    return parse_json(text.substr(begin, in.end_position() - begin), "text", ErrorCode::kBadData);
  } catch (const Error&) {
    return std::nullopt;  // the form's own reader says where it is no JSON
  }
}

}  // namespace

SourceForm recognise_form(std::string_view text, const std::filesystem::path& file) {
  if (const auto kind = unread_text_kind(text)) {
    throw Error(ErrorCode::kBadData, file.string(), *kind);
  }
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return SourceForm::kJson;
  if (text[first] != '{' && text[first] != '[') {
    return is_table(text, file.string()) ? SourceForm::kTable : SourceForm::kJson;
  }
  const std::optional<Json> object = first_object(text);
  if (!object) return SourceForm::kJson;
  if (is_label_studio(*object)) return SourceForm::kLabelStudio;
  return is_doccano(*object) ? SourceForm::kDoccano : SourceForm::kJson;
}

void stream_form(SourceForm form, std::string_view text, const std::filesystem::path& file,
                 const ReadOptions& options, const RowCallback& callback,
                 std::vector<std::string>& notes, const ReadCallback& on_read) {
  const std::string name = file.string();
  switch (form) {
    case SourceForm::kLabelStudio:
      return stream_label_studio(text, name, options, callback, notes, on_read);
    case SourceForm::kDoccano:
      return stream_doccano(text, name, options, callback, notes, on_read);
    case SourceForm::kTable: return stream_table(text, name, options, callback, notes, on_read);
    case SourceForm::kJson: return;  // row_stream.h reads it
  }
}

}  // namespace spanforge
