#pragma once
// What: finds the column of a table, or the key of a tool's row, for each part of a question. Uses
//   the names that the user gave, or the known names (keys.h, and usual names in spreadsheets) in
//   any case, with or without spaces and punctuation.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/options.h"

namespace spanforge {

// The options for ReadOptions, of all commands and of training.
inline constexpr OptionInfo kColumnsOption{
    "columns", "what the data's columns or keys are: question=q,context=text,answer=a", ""};
inline constexpr OptionInfo kEncodingOption{
    "encoding", "the data's encoding, as GB18030, Big5 or windows-1252; default: recognised", ""};

enum class Part : uint8_t { kId, kTitle, kQuestion, kContext, kAnswer, kStart, kImpossible };
inline constexpr size_t kParts = 7;
std::string_view part_name(Part part);  // "id", "title", ..., "answer_start", "is_impossible"

// For each part, the index of its name.
using PartColumns = std::array<std::optional<size_t>, kParts>;

// given: ReadOptions::columns. Each name is used for one part only; the user's choice comes first.
// Errors: Error{kUsage, parameter "columns"} if a name that the user gave is missing; it lists the
// names that `file` has.
PartColumns find_parts(const std::vector<std::string>& names,
                       const std::vector<std::pair<std::string, std::string>>& given,
                       std::string_view file);

// The same, but ignores a given name that is missing.
PartColumns find_parts_leniently(const std::vector<std::string>& names,
                                 const std::vector<std::pair<std::string, std::string>>& given);

// Whether the name is a known name of the part.
bool is_name_of(Part part, std::string_view name);

// "question=q,context=text" -> ReadOptions::columns. Errors: Error{kUsage, parameter "columns"}.
std::vector<std::pair<std::string, std::string>> parse_columns(std::string_view text);

// "question = q, context = text; not used: x, y".
std::string describe_parts(const PartColumns& parts, const std::vector<std::string>& names);

// For messages: a, "b c", d; at most about twenty names.
std::string list_names(const std::vector<std::string>& names);

}  // namespace spanforge
