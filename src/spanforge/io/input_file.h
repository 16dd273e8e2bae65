#pragma once
// What: reads the text and data files that a user names. They may be pipes: "-" is standard input;
//   a FIFO, /dev/stdin or a shell's <(command) is read to its end. An input that cannot be mapped
//   is copied once to a temporary file without a name, in $TMPDIR or else /tmp.
// Waiting: reading waits for a FIFO without a writer. If `stop` is given and becomes true, the wait
//   ends soon with Error{kInterrupted}.
// Not here: the files of a model and of a run, which must be regular files (io/file.h).
// Errors: Error{kIo} for a directory, a device or a named socket, and if the temporary file cannot
//   be written. A terminal may be read; /dev/null is an empty file. Messages call "-" "standard
//   input".

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/io/descriptor.h"
#include "spanforge/io/file.h"

namespace spanforge {

// The name in messages: "standard input" for "-", else the path.
fs::path input_name(const fs::path& path);

// Whether `path` is "-" or names the pipe, terminal or socket that is standard input.
bool is_standard_input(const fs::path& path);

// The whole input. The mapped file's path() is input_name(path).
MappedFile map_input(const fs::path& path, const std::atomic<bool>* stop = nullptr);
std::string read_input(const fs::path& path);

// Throws Error{kUsage} if standard input or one FIFO is named twice: it can be read only once.
// Ignores empty names.
void require_distinct_inputs(const std::vector<fs::path>& paths);

// Reads an input line by line, each as soon as it arrives.
// Example:
//   InputLines lines("-");
//   while (const auto line = lines.next()) answer(*line);
class InputLines {
 public:
  explicit InputLines(const fs::path& path);
  // The next line without its LF; the last line may lack one. nullopt: the end.
  std::optional<std::string> next();
  // Whether next() returns without waiting for the writer of the input.
  bool ready();
  // Whether the input is a regular file, which can be read again.
  bool is_regular() const { return regular_; }
  // Starts again at the first line. REQUIRES: is_regular().
  void rewind();

 private:
  bool holds_line();  // pending_ holds a line, or the input has ended
  void read_more();

  fs::path name_;
  Descriptor file_;
  bool regular_ = false, ended_ = false;
  off_t first_byte_ = 0;
  std::string pending_;              // read, not yet returned
  size_t start_ = 0, searched_ = 0;  // the next line's start; where to search for its LF
};

}  // namespace spanforge
