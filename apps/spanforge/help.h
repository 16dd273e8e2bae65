#pragma once
// Prints --help, --version and the reference page docs/commands.md from the two tables.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "command.h"
#include "options.h"
#include "spanforge/base/error.h"

namespace spanforge::app {

void print_overview();                     // spanforge --help
bool is_group(std::string_view word);      // "data", the first word of several commands
void print_group(std::string_view group);  // spanforge data --help
void print_help(const Command& command, const OptionTable& table);
Error unknown_command(const std::string& wanted);  // kUsage; suggests the nearest one

// For the makers of other forms of help: manual.h and completion.h.
std::vector<const Command*> commands_in(std::string_view group);  // in the table's order
// Not by fmt::format_to: clang looks for it under another symbol than the one in the library's
// file.
template <class... Values>
void append(std::string& out, fmt::format_string<Values...> form, Values&&... values) {
  out += fmt::format(form, std::forward<Values>(values)...);
}
inline constexpr std::string_view kExitCodes =
    "0 done; 2 wrong use; 3 bad data or model; 4 network, or not in the cache; 70 not "
    "enough memory, or a fault of the program; 74 input or output, or threads that cannot be "
    "started; 75 another process of the run was lost; 128 + signal: stopped";
inline constexpr std::string_view kForeignOptions =
    "Other names of TrainingArguments are accepted if their value asks for what is done here\n"
    "anyway; otherwise they are refused with the reason.";
bool has_foreign_options(const OptionTable& table);
std::string option_form(const OptionRow& row);         // "--epochs N"
std::string option_description(const OptionRow& row);  // meaning, range, default, aliases
// Calls describe() for each command, in the table's order.
void describe_commands(const std::function<void(const Command&, const OptionTable&)>& describe);

}  // namespace spanforge::app
