#pragma once
// What: the text and data files that a user names. They may be pipes: "-" is standard input, and a
//   FIFO, /dev/stdin or a shell's <(command) is read to its end. What cannot be mapped is copied
//   once to a temporary file without a name, in $TMPDIR or else /tmp.
// Waiting: a FIFO that nobody writes to yet is waited for. `stop`, where it is given, ends the wait
//   soon after it becomes true: Error{kInterrupted}.
// Not here: the files of a model and of a run. Those are regular files (io/file.h).
// Errors: Error{kIo} for a directory, a device or a socket with a name, and where the temporary
// file
//   cannot be written. A terminal may be read, and /dev/null is an empty file. Messages call "-"
//   "standard input".

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/io/descriptor.h"
#include "spanforge/io/file.h"

namespace spanforge {

// What messages call it: "standard input" for "-", else the path.
fs::path input_name(const fs::path& path);

// "-", or a name of the pipe, terminal or socket that standard input is.
bool is_standard_input(const fs::path& path);

// The whole input. The mapped file's path() is input_name(path).
MappedFile map_input(const fs::path& path, const std::atomic<bool>* stop = nullptr);
std::string read_input(const fs::path& path);

// Error{kUsage} where standard input or one FIFO is named twice: it can be read once. Empty names
// are no inputs.
void require_distinct_inputs(const std::vector<fs::path>& paths);

// Reads an input line by line, as the lines come.
// Example:
//   InputLines lines("-");
//   while (const auto line = lines.next()) answer(*line);
class InputLines {
 public:
  explicit InputLines(const fs::path& path);
  // The next line without its LF; the last one needs none. nullopt: the end.
  std::optional<std::string> next();
  // Whether next() returns without waiting for whoever writes the input.
  bool ready();
  // Whether all of it is there and can be read again: a regular file.
  bool is_regular() const { return regular_; }
  // Starts again at the first line. REQUIRES: is_regular().
  void rewind();

 private:
  bool holds_line();  // in pending_, or the end has come
  void read_more();

  fs::path name_;
  Descriptor file_;
  bool regular_ = false, ended_ = false;
  off_t first_byte_ = 0;
  std::string pending_;              // read, not returned
  size_t start_ = 0, searched_ = 0;  // the next line's start; no LF before there
};

}  // namespace spanforge
