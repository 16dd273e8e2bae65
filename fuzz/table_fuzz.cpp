// Any bytes as a table: rows that are JSON, or an Error that names the file. Rows cover the text in
// order. The text as a Python literal: a value that is JSON, or none.
#include "spanforge/base/utf8.h"
#include "spanforge/data/forms.h"
#include "spanforge/data/python_literal.h"
#include "spanforge/data/table_reader.h"
#include "support.h"

namespace {

using namespace spanforge;

void read_rows(std::string_view text) {
  const TableShape shape = find_shape(text, "fuzzed.csv");
  TableReader reader(text, shape);
  TableRow row;
  const char* at = text.data() + shape.begin;
  int64_t line = 0;
  while (reader.next(row)) {
    fuzz::require(!row.cells.empty() && row.source.data() >= at && row.line > line);
    at = row.source.data() + row.source.size();
    line = row.line;
  }
  fuzz::require(reader.position() == text.size());
}

void stream(std::string_view text, const ReadOptions& options) {
  std::vector<std::string> notes;
  int64_t rows = 0;
  try {
    stream_form(
        SourceForm::kTable, text, "fuzzed.csv", options,
        [&](RowKind kind, Json& row, const std::string& place) {
          fuzz::require(kind == RowKind::kRow && place.starts_with("line ") && row.is_object());
          fuzz::require(!find_invalid_utf8(row.dump()));
          ++rows;
        },
        notes);
    fuzz::require(notes.size() == 1);
  } catch (const Error& error) {
    const bool columns = error.code() == ErrorCode::kUsage && error.parameter() == "columns";
    fuzz::require(columns ? !options.columns.empty()
                          : error.code() == ErrorCode::kBadData && error.file() == "fuzzed.csv");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::view_of(data, size);
  read_rows(text);
  stream(text, {});
  stream(text, {"", {{"question", "id"}, {"context", "text"}}});
  if (!find_invalid_utf8(text)) {
    if (const auto value = parse_python_literal(text))
      fuzz::require(!find_invalid_utf8(value->dump()));
  }
  return 0;
}
