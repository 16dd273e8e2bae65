#pragma once
// Prints --help, --version and the reference page docs/commands.md from the two tables.

#include "command.h"
#include "options.h"
#include "spanforge/base/error.h"

namespace spanforge::app {

void print_overview();                     // spanforge --help
bool is_group(std::string_view word);      // "data", the first word of several commands
void print_group(std::string_view group);  // spanforge data --help
void print_help(const Command& command, const OptionTable& table);
void print_reference(const Command& command, const OptionTable& table);  // Markdown, one command
void print_version();
Error unknown_command(const std::string& wanted);  // kUsage; suggests the nearest one

}  // namespace spanforge::app
