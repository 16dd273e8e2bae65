#include "output.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "flags.h"
#include "spanforge/base/error.h"
#include "spanforge/io/file.h"

namespace spanforge::app {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
std::string stdout_buffer;
bool stdout_closed = false;
bool notes_released = false;
bool errors_only = false;
std::vector<std::string> held_notes;

// write(2), but continues after interrupts, and waits if a pipe or terminal is full and another
// process has made it non-blocking.
ssize_t write_some(int descriptor, std::string_view text) {
  for (;;) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written >= 0 || (errno != EINTR && errno != EAGAIN)) return written;
    if (errno == EAGAIN) {
      pollfd room{descriptor, POLLOUT, 0};
      ::poll(&room, 1, -1);
    }
  }
}

// A terminal obeys control characters, and texts may come from untrusted files. So all except line
// ends and tabs are shown as \xNN.
std::string without_controls(std::string_view text) {
  std::string shown;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool of_two = byte == 0xC2 && i + 1 < text.size() &&
                        static_cast<unsigned char>(text[i + 1]) < 0xA0;  // U+0080 to U+009F
    if (of_two) {
      shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[++i]));
    } else if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += text[i];
    }
  }
  return shown;
}

}  // namespace

void flush_output() {
  std::string_view rest = stdout_buffer;
  while (!rest.empty() && !stdout_closed) {
    const ssize_t written = write_some(STDOUT_FILENO, rest);
    if (written >= 0) {
      rest.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE || errno == EBADF) {
      stdout_closed = true;
    } else {
      const int reason = errno;
      stdout_buffer.clear();
      stdout_closed = true;
      throw Error(ErrorCode::kIo, {.where = "standard output"}, std::strerror(reason));
    }
  }
  stdout_buffer.clear();
}

void print(std::string_view text) {
  if (stdout_closed || errors_only) return;
  static const bool to_terminal = stdout_is_terminal();
  if (to_terminal) {
    stdout_buffer += without_controls(text);
  } else {
    stdout_buffer += text;
  }
  if (stdout_buffer.size() >= kBufferBytes) flush_output();
}

bool output_closed() { return stdout_closed; }

void print_json(const Json& value) {
  print(dump_python_json(value, {.ensure_ascii = false}));
  print("\n");
}

void write_stderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write_some(STDERR_FILENO, text);
    if (written < 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void print_errors_only() { errors_only = true; }

void note(std::string line) {
  if (errors_only) return;
  line = with_flags(line);
  line = quote_for_message(line, line.size()) + "\n";  // names of files may contain anything
  if (notes_released) {
    write_stderr(line);
  } else {
    held_notes.push_back(std::move(line));
  }
}

void release_notes() {
  notes_released = true;
  if (errors_only) held_notes.clear();
  for (const std::string& line : held_notes) write_stderr(line);
  held_notes.clear();
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }
bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

size_t terminal_columns() {
  winsize size{};
  size_t columns = 0;
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0) columns = size.ws_col;
  size_t stated = 0;
  const std::string text = environment_or("COLUMNS", "");
  std::from_chars(text.data(), text.data() + text.size(), stated);
  if (stated > 0) columns = columns > 0 ? std::min(columns, stated) : stated;
  return columns > 0 ? columns : 80;
}

bool stderr_shows_bars() {
  if (errors_only) return false;
  const std::string kind = environment_or("TERM", "");
  return stderr_is_terminal() && !kind.empty() && kind != "dumb";
}

}  // namespace spanforge::app
