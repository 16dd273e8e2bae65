#pragma once
// What: which column of a table, or which key of a tool's row, is which part of a question: by the
// name the user gave, or by the known names (keys.h, and those people write in spreadsheets) in any
// case, with or without spaces and punctuation.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/options.h"

namespace spanforge {

// The options behind ReadOptions, for every command and for training.
inline constexpr OptionInfo kColumnsOption{
    "columns", "what the data's columns or keys are: question=q,context=text,answer=a", ""};
inline constexpr OptionInfo kEncodingOption{
    "encoding", "the data's encoding, as GB18030, Big5 or windows-1252; default: recognised", ""};

enum class Part : uint8_t { kId, kTitle, kQuestion, kContext, kAnswer, kStart, kImpossible };
inline constexpr size_t kParts = 7;
std::string_view part_name(Part part);  // "id", "title", ..., "answer_start", "is_impossible"

// Of each part: which of the names it has.
using PartColumns = std::array<std::optional<size_t>, kParts>;

// given: ReadOptions::columns. Each name is taken once; a name the user gave for one part is none
// of another. Errors: Error{kUsage, parameter "columns"} where none of the names is the one the
// user gave; `file` and what it holds are named then.
PartColumns find_parts(const std::vector<std::string>& names,
                       const std::vector<std::pair<std::string, std::string>>& given,
                       std::string_view file);

// The same, but a name that is not there is none.
PartColumns find_parts_leniently(const std::vector<std::string>& names,
                                 const std::vector<std::pair<std::string, std::string>>& given);

// Whether the name is a known one of the part.
bool is_name_of(Part part, std::string_view name);

// "question=q,context=text" -> ReadOptions::columns. Errors: Error{kUsage, parameter "columns"}.
std::vector<std::pair<std::string, std::string>> parse_columns(std::string_view text);

// "question = q, context = text; not used: x, y".
std::string describe_parts(const PartColumns& parts, const std::vector<std::string>& names);

// a, "b c", d: for messages; at most some twenty.
std::string list_names(const std::vector<std::string>& names);

}  // namespace spanforge
