#pragma once
// What: recognises the form of a data file, and reads the rows of the forms other than SQuAD's.
//   docs/data-forms.md describes the forms, their fields and units, and gives the sources.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// Recognises by content; the file's name decides only between CSV and TSV. text: UTF-8, without
// byte order mark. Errors: Error{kBadData, file} for a file of another kind (Parquet, XLSX, SQLite,
// a web page, ...). It names the kind and says how to export it.
SourceForm recognise_form(std::string_view text, const std::filesystem::path& file);

// Streams the rows of a form other than kJson, as flat rows {"id", "title", "context", "question",
// "answers", "is_impossible"} with their place ("line 17", "[3]"). Answers are {"text",
// "answer_start"} with starts in code points, or strings if the form has no starts. A file without
// answers gives rows without "answers". A row that cannot be read is RowKind::kRow with {"error":
// reason}. notes: see Dataset. on_read: see row_stream.h; the file may be read twice.
// Errors: Error{kBadData, file, place} if the file as a whole is malformed.
void stream_form(SourceForm form, std::string_view text, const std::filesystem::path& file,
                 const ReadOptions& options, const RowCallback& callback,
                 std::vector<std::string>& notes, const ReadCallback& on_read = {});

}  // namespace spanforge
