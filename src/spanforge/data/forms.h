#pragma once
// What: which of the known forms a data file has, and the rows of those that are not SQuAD's.
//   The forms, their fields and units are described in docs/data-forms.md, with their sources.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// By content; the file's name decides only between CSV and TSV. text: UTF-8, without byte order
// mark. Errors: Error{kBadData, file} that names what a file of another kind is (Parquet, XLSX,
// SQLite, a web page, ...) and the way to export it.
SourceForm recognise_form(std::string_view text, const std::filesystem::path& file);

// Streams the rows of a form that is not kJson, as flat rows {"id", "title", "context",
// "question", "answers", "is_impossible"} with their place ("line 17", "[3]"): answers are
// {"text", "answer_start"}, starts in code points, or strings where the form has no starts; a file
// without any column of answers gives none. `notes`: see Dataset. Errors: Error{kBadData, file,
// place} where the file as such is unsound; a row that is cannot be read gives RowKind::kRow with
// {"error": reason}. on_read: as in row_stream.h; a file may be gone over twice.
void stream_form(SourceForm form, std::string_view text, const std::filesystem::path& file,
                 const ReadOptions& options, const RowCallback& callback,
                 std::vector<std::string>& notes, const ReadCallback& on_read = {});

}  // namespace spanforge
