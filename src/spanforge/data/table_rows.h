#pragma once
// What: reads a table as flat rows (forms.h). A cell of answers holds a text, Hugging Face's
//   {"text": [...], "answer_start": [...]} in JSON or as Python prints it, or the spans of Label
//   Studio's CSV.
// Memory: one row. The table is read at most twice.

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// Whether the first row has at least two cells, or the file's name is that of a table.
bool is_table(std::string_view text, std::string_view file);

// See stream_form() in forms.h. Error{kBadData} that lists the columns if there is none for
// question or context; Error{kUsage, parameter "columns"} if a column that the user named is
// missing.
void stream_table(std::string_view text, const std::string& file, const ReadOptions& options,
                  const RowCallback& callback, std::vector<std::string>& notes,
                  const ReadCallback& on_read);

}  // namespace spanforge
