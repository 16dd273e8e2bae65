#include "spanforge/data/forms.h"

#include <optional>

#include "spanforge/base/error.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/data/annotations.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/table_rows.h"
#include "spanforge/data/unread_kind.h"

namespace spanforge {
namespace {

// A value of the same kind. An object's stand-in is empty if the object is.
Json read_kind(JsonReader& in) {
  using Kind = JsonReader::Kind;
  const Kind kind = in.peek();
  if (kind != Kind::kObject) {
    in.skip_value();
    return kind == Kind::kArray ? Json::array() : kind == Kind::kString ? Json("") : Json();
  }
  Json object = Json::object();
  std::string key;
  for (in.begin_object(); in.next_key(key); in.skip_value()) {
    if (object.empty()) object[key] = nullptr;
  }
  return object;
}

// The keys and kinds of values of the first object of a list or of lines, or of the only object.
// nullopt: not JSON, or certainly SQuAD's form, whose object is the whole file.
std::optional<Json> first_object(std::string_view text) {
  constexpr size_t kMostKeys = 10'000;  // more than any tool's row has
  try {
    JsonReader in(text, "text", ErrorCode::kBadData, {.keys_may_repeat = true});
    if (in.peek() == JsonReader::Kind::kArray) {
      in.begin_array();
      if (!in.next_item()) return std::nullopt;
    }
    if (in.peek() != JsonReader::Kind::kObject) return std::nullopt;
    Json kinds = Json::object();
    std::string key;
    for (in.begin_object(); in.next_key(key);) {
      if (kinds.size() == kMostKeys) return std::nullopt;
      const bool list = in.peek() == JsonReader::Kind::kArray;
      if (list && (key == "data" || key == "paragraphs" || key == "qas")) return std::nullopt;
      append_member(kinds, key, read_kind(in));
    }
    return kinds;
  } catch (const Error&) {
    return std::nullopt;  // the form's own reader will report the error
  }
}

// {"question": {"0": ...}, "context": {"0": ...}}, which pandas' to_json() writes, or with lists.
bool is_by_columns(const Json& object) {
  const auto is_column = [&](const auto& names) {
    const Json* value = object.find(keys::present(object, names));
    return value != nullptr && (value->is_object() || value->is_array());
  };
  return is_column(keys::kQuestion) && is_column(keys::kContext);
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
  if (text[first] == '{' && is_by_columns(*object)) {
    throw Error(
        ErrorCode::kBadData, file.string(),
        "holds columns, not rows; write it with to_json(..., orient=\"records\", lines=True), "
        "or Dataset.to_json");
  }
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
    case SourceForm::kDoccano: return stream_doccano(text, name, options, callback, notes, on_read);
    case SourceForm::kTable: return stream_table(text, name, options, callback, notes, on_read);
    case SourceForm::kJson: return;  // row_stream.h reads it
  }
}

}  // namespace spanforge
