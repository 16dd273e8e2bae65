#pragma once
// Standard output and standard error. Everything that this program prints goes through here.
// If the reader of standard output is gone, that is not an error: output is discarded, and the
// command ends with its own exit code. Any other failure (a full disk) is Error{kIo}. On a
// terminal, control characters other than line ends and tabs appear as \xNN; a file or pipe gets
// the bytes unchanged.

#include <string>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::app {

void print(std::string_view text);   // buffered
void flush_output();                 // throws Error{kIo}
bool output_closed();                // the reader is gone: long listings may stop
void print_json(const Json& value);  // one line

template <class... Args>
void emit(fmt::format_string<Args...> format, Args&&... args) {
  print(fmt::format(format, std::forward<Args>(args)...));
}

// Prints a line for people on standard error. Lines are held until release_notes(), so that a
// command whose input is bad prints only that error.
void note(std::string line);
void release_notes();

// From here on this process prints nothing but an error: no output, notes or bars. For ranks above
// 0.
void print_errors_only();

bool stdout_is_terminal();
bool stderr_is_terminal();
bool stdin_is_terminal();
void write_stderr(std::string_view text);  // unchanged; ignores failures
// The width of standard error, at most COLUMNS; 80 if neither is known.
size_t terminal_columns();
// True if standard error is a terminal that can redraw a line (TERM is neither missing nor "dumb").
bool stderr_shows_bars();

}  // namespace spanforge::app
