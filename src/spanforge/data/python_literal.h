#pragma once
// Reads values that Python and pandas write into the cells of a table: {'text': ['Ulm'],
// 'answer_start': [5]}, array(['Ulm'], dtype=object), np.int64(5), and NumPy's lists without
// commas. Also reads JSON.

#include <optional>
#include <string_view>

#include "spanforge/base/json.h"

namespace spanforge {

// nullopt: the text is not such a value, or goes on after it. Tuples become lists, nan becomes
// null. Keeps both values of a repeated key; Json::find() returns the first. REQUIRES: valid UTF-8.
std::optional<Json> parse_python_literal(std::string_view text);

}  // namespace spanforge
