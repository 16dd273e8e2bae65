#pragma once
// Interprets values in a file that have the wrong type.

#include <cstdint>
#include <optional>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

// Whether the value has the right type: a whole number of at most 64 bits with sign.
bool is_start(const Json& value);

// The number, also if it is spelt "12" or 12.0; else -1.
int64_t start_value(const Json& value);

// The truth value of true, "true", "Yes", "1", 1 ...; nullopt: it is none.
std::optional<bool> spelled_bool(const Json& value);

// Whether an answer with this text means that there is no answer and is skipped: it is empty, and
// is_impossible is true or no start is stated ({"text": "", "answer_start": -1}).
bool says_no_answer(std::string_view text, StartSource source, bool is_impossible);

// {"number": "1.50"}: how row_stream.h passes a number in place of a text.
Json number_spelling(std::string_view digits);
bool is_spelling(const Json& value);

}  // namespace spanforge
