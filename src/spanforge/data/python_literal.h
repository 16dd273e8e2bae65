#pragma once
// Values as Python and pandas write them into the cells of a table: {'text': ['Ulm'],
// 'answer_start': [5]}, also array(['Ulm'], dtype=object), np.int64(5) and lists without commas, as
// NumPy prints them. JSON is read, too.

#include <optional>
#include <string_view>

#include "spanforge/base/json.h"

namespace spanforge {

// nullopt where the text is no such value, or something follows it. Tuples become lists, nan null.
// Of a key that is there twice both are kept; the first is found. REQUIRES: valid UTF-8.
std::optional<Json> parse_python_literal(std::string_view text);

}  // namespace spanforge
