#pragma once
// What: an open file or directory, for the few who need more than io/file.h's whole files.
// Interrupted calls (EINTR) are made again and short reads and writes continued. A sync that failed
//   is never tried again: the kernel may have dropped the pages that it could not write.
// Errors: Error{kIo, path} with the system's reason.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

namespace spanforge {

class Descriptor {
 public:
  Descriptor() = default;  // holds nothing
  // flags: as of open(2), O_CLOEXEC is added; a new file's mode is 0666 less the umask. named: the
  // path in errors, where it is not `path` (a temporary name says little to a user).
  Descriptor(const std::filesystem::path& path, int flags, std::filesystem::path named = {});
  // Takes over an open descriptor; `named`: the path in errors.
  Descriptor(int fd, std::filesystem::path named) : path_(std::move(named)), fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();  // closes; an error of that is lost, so whoever wrote calls close() first

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

  size_t read(void* to, size_t count) const;  // fewer than `count` bytes only at the end
  void write(std::string_view bytes) const;   // all of them
  void sync() const;
  void truncate() const;  // to nothing
  // flock(2), which ends when the descriptor is closed: lock() waits while another process has it.
  void lock() const;
  int try_lock() const;  // 0, or why not (EWOULDBLOCK: another has it)
  void close();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Throws Error{kIo, path}, "cannot ACTION: " and the system's words for `error`.
[[noreturn]] void throw_io(const std::filesystem::path& path, std::string_view action, int error);

}  // namespace spanforge
