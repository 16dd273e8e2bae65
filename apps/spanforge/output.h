#pragma once
// Standard output and standard error. Everything this program prints goes through here.
// A reader of standard output that has gone away is no error: what would be written is dropped, and
// the command goes on to its own exit code. Any other failure (a full disk) is Error{kIo}. A
// terminal gets no control characters but line ends and tabs; a file or pipe gets the bytes as they
// are.

#include <string>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::app {

void print(std::string_view text);   // buffered
void flush_output();                 // throws Error{kIo}
bool output_closed();                // the reader has gone: long listings may stop
void print_json(const Json& value);  // one line

template <class... Args>
void emit(fmt::format_string<Args...> format, Args&&... args) {
  print(fmt::format(format, std::forward<Args>(args)...));
}

// A line for people on standard error. Lines are held back until release_notes(), so that a command
// that turns out to have bad input says only that.
void note(std::string line);
void release_notes();

bool stdout_is_terminal();
bool stderr_is_terminal();
bool stdin_is_terminal();
void write_stderr(std::string_view text);  // as it is; failures are ignored
// Of standard error, and no more than COLUMNS says; 80 where neither is known.
size_t terminal_columns();
// Standard error is a terminal that can draw a line again (TERM is neither missing nor "dumb").
bool stderr_shows_bars();

}  // namespace spanforge::app
