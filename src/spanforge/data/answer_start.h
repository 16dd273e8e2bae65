#pragma once
// What a value in a file stands for that is not written as it should be.

#include <cstdint>
#include <optional>
#include <string_view>

#include "spanforge/base/json.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

// A whole number of at most 64 bits with sign, as it should be.
bool is_start(const Json& value);

// The number; where it is none, the one it spells ("12", 12.0), else -1.
int64_t start_value(const Json& value);

// The truth value a value spells: true, "true", "Yes", "1", 1, ...; nullopt: none.
std::optional<bool> spelled_bool(const Json& value);

// Whether an answer with that text says that there is none, and is left out: it is empty, and
// is_impossible is true or no start is stated ({"text": "", "answer_start": -1}).
bool says_no_answer(std::string_view text, StartSource source, bool is_impossible);

// {"number": "1.50"}: how row_stream.h hands over a number where a text should be.
Json number_spelling(std::string_view digits);
bool is_spelling(const Json& value);

}  // namespace spanforge
