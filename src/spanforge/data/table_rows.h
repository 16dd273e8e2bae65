#pragma once
// What: the rows of a table as flat rows (forms.h). A cell of answers holds a text, or several as
//   Hugging Face's {"text": [...], "answer_start": [...]} in JSON or as Python prints it, or what
//   Label Studio's CSV has there.
// Memory: one row. The table is gone over at most twice.

#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// True: the first row has at least two cells, or the file's name says that it is a table.
bool is_table(std::string_view text, std::string_view file);

// As stream_form (forms.h). Error{kBadData} that names the columns where question or context is
// none of them; Error{kUsage, parameter "columns"} where a named one is missing.
void stream_table(std::string_view text, const std::string& file, const ReadOptions& options,
                  const RowCallback& callback, std::vector<std::string>& notes,
                  const ReadCallback& on_read);

}  // namespace spanforge
