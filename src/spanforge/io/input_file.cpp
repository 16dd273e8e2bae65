#include "spanforge/io/input_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fmt/core.h>

namespace spanforge {
namespace {

constexpr size_t kReadBytes = size_t{1} << 16;
constexpr int kStopLookMilliseconds = 100;

struct Input {
  Descriptor file;
  fs::path name;
  bool mappable = false;  // a regular file at its first byte
};

bool is_null_device(const struct stat& info) { return info.st_rdev == ::makedev(1, 3); }

bool same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void require_readable(const fs::path& name, const Descriptor& file, const struct stat& info) {
  const auto refuse = [&](const char* reason) {
    throw Error(ErrorCode::kIo, name.string(), reason);
  };
  if (S_ISDIR(info.st_mode)) refuse("is a directory; a file is needed");
  if (S_ISBLK(info.st_mode)) refuse("is a device; a file is needed");
  if (S_ISCHR(info.st_mode) && !is_null_device(info) && ::isatty(file.get()) != 1) {
    refuse("is a device; a file is needed");
  }
}

// Does not wait for a FIFO's writer: reading does.
Input open_input(const fs::path& path) {
  Input input;
  input.name = input_name(path);
  struct stat info {};
  if (is_standard_input(path)) {
    // A copy of the descriptor: /dev/stdin cannot open a socket or another user's terminal.
    const int fd = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) throw_io(input.name, "open", errno);
    input.file = Descriptor(fd, input.name);
  } else {
    if (::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) {
      throw Error(ErrorCode::kIo, input.name.string(), "is a socket; a file is needed");
    }
    input.file = Descriptor(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  }
  if (::fstat(input.file.get(), &info) != 0) throw_io(input.name, "look it up", errno);
  require_readable(input.name, input.file, info);
  input.mappable = S_ISREG(info.st_mode) && ::lseek(input.file.get(), 0, SEEK_CUR) == 0;
  return input;
}

void wait_for(const Descriptor& file, const fs::path& name, const std::atomic<bool>* stop) {
  for (;;) {
    if (stop != nullptr && *stop) {
      throw Error(ErrorCode::kInterrupted, name.string(), "stopped while it was read");
    }
    pollfd there{file.get(), POLLIN, 0};
    const int events = ::poll(&there, 1, stop == nullptr ? -1 : kStopLookMilliseconds);
    if (events > 0) return;
    if (events < 0 && errno != EINTR) throw_io(name, "read", errno);
  }
}

// Waits for bytes and reads at most `count` of them; 0: the end.
size_t read_some(const Descriptor& file, const fs::path& name, char* to, size_t count,
                 const std::atomic<bool>* stop = nullptr) {
  for (;;) {
    wait_for(file, name, stop);
    const ssize_t n = ::read(file.get(), to, count);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR && errno != EAGAIN) throw_io(name, "read", errno);
  }
}

// A temporary file without a name. Its errors name the input and the directory.
class Spool {
 public:
  explicit Spool(const fs::path& name) : name_(name) {
    if (directory_.empty()) directory_ = "/tmp";
    int fd = ::open(directory_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    // Some file systems do not support O_TMPFILE.
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
      std::string file = directory_ + "/spanforge-XXXXXX";
      fd = ::mkostemp(file.data(), O_CLOEXEC);
      if (fd >= 0) ::unlink(file.c_str());
    }
    if (fd < 0) fail(errno);
    file_ = Descriptor(fd, name);
  }

  void write(const char* bytes, size_t count) {
    while (count != 0) {
      const ssize_t n = ::write(file_.get(), bytes, count);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(errno);
      bytes += n;
      count -= static_cast<size_t>(n);
    }
  }

  Descriptor take() && { return std::move(file_); }

 private:
  [[noreturn]] void fail(int error) const {
    throw Error(ErrorCode::kIo, name_.string(),
                fmt::format("cannot be stored in {}: {}; set TMPDIR to another directory",
                            directory_, std::strerror(error)));
  }

  fs::path name_;
  std::string directory_ = environment_or("TMPDIR", "/tmp");
  Descriptor file_;
};

}  // namespace

fs::path input_name(const fs::path& path) { return path == "-" ? "standard input" : path; }

bool is_standard_input(const fs::path& path) {
  if (path == "-") return true;
  struct stat named {
  }, standard{};
  return ::stat(path.c_str(), &named) == 0 && ::fstat(STDIN_FILENO, &standard) == 0 &&
         same(named, standard) && !S_ISREG(named.st_mode) && !S_ISDIR(named.st_mode) &&
         !(S_ISCHR(named.st_mode) && is_null_device(named));
}

MappedFile map_input(const fs::path& path, const std::atomic<bool>* stop) {
  Input input = open_input(path);
  if (input.mappable) return MappedFile(std::move(input.file), input.name);
  Spool spool(input.name);
  std::vector<char> buffer(kReadBytes);
  while (const size_t n = read_some(input.file, input.name, buffer.data(), buffer.size(), stop)) {
    spool.write(buffer.data(), n);
  }
  return MappedFile(std::move(spool).take(), input.name);
}

std::string read_input(const fs::path& path) {
  const Input input = open_input(path);
  std::string bytes;
  size_t size = 0;
  for (;;) {
    bytes.resize(std::max(size + kReadBytes, size + size / 2));
    const size_t n = read_some(input.file, input.name, bytes.data() + size, bytes.size() - size);
    size += n;
    if (n == 0) break;
  }
  bytes.resize(size);
  return bytes;
}

void require_distinct_inputs(const std::vector<fs::path>& paths) {
  bool standard_input = false;
  std::vector<struct stat> fifos;
  for (const fs::path& path : paths) {
    if (path.empty()) continue;
    struct stat info {};
    bool again = false;
    if (is_standard_input(path)) {
      again = std::exchange(standard_input, true);
    } else if (::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode)) {
      again = std::any_of(fifos.begin(), fifos.end(),
                          [&](const struct stat& one) { return same(one, info); });
      fifos.push_back(info);
    }
    if (again) {
      throw Error(ErrorCode::kUsage, input_name(path).string(),
                  "is given twice, but it can be read only once; give a file");
    }
  }
}

InputLines::InputLines(const fs::path& path) {
  Input input = open_input(path);
  name_ = std::move(input.name);
  file_ = std::move(input.file);
  first_byte_ = ::lseek(file_.get(), 0, SEEK_CUR);
  struct stat info {};
  regular_ = first_byte_ >= 0 && ::fstat(file_.get(), &info) == 0 && S_ISREG(info.st_mode);
}

void InputLines::rewind() {
  if (::lseek(file_.get(), first_byte_, SEEK_SET) < 0) throw_io(name_, "read", errno);
  pending_.clear();
  start_ = searched_ = 0;
  ended_ = false;
}

bool InputLines::holds_line() {
  if (ended_) return true;
  const size_t end = pending_.find('\n', searched_);
  searched_ = end == std::string::npos ? pending_.size() : end;
  return end != std::string::npos;
}

void InputLines::read_more() {
  pending_.erase(0, start_);
  searched_ -= start_;
  start_ = 0;
  std::array<char, kReadBytes> buffer{};
  const size_t n = read_some(file_, name_, buffer.data(), buffer.size());
  pending_.append(buffer.data(), n);
  ended_ = n == 0;
}

bool InputLines::ready() {
  while (!holds_line()) {
    pollfd there{file_.get(), POLLIN, 0};
    if (::poll(&there, 1, 0) <= 0) return false;
    read_more();
  }
  return true;
}

std::optional<std::string> InputLines::next() {
  while (!holds_line()) read_more();
  if (start_ == pending_.size()) return std::nullopt;
  const size_t end = std::min(pending_.find('\n', searched_), pending_.size());
  std::string line = pending_.substr(start_, end - start_);
  start_ = searched_ = std::min(end + 1, pending_.size());
  return line;
}

}  // namespace spanforge
