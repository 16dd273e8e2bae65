#pragma once
// What: an open file or directory, for code that needs more than the whole files of io/file.h.
// Retries: interrupted calls (EINTR) are repeated; short reads and writes are continued. A failed
//   sync is never repeated: the kernel may have dropped the pages that it could not write.
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
  // flags: those of open(2); O_CLOEXEC is added. A new file's mode is 0666 less the umask.
  // named: the path in errors, if it is not `path` (users do not know temporary names).
  Descriptor(const std::filesystem::path& path, int flags, std::filesystem::path named = {});
  // Takes ownership of an open descriptor. named: the path in errors.
  Descriptor(int fd, std::filesystem::path named) : path_(std::move(named)), fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();  // closes and ignores errors: call close() after writing

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

  size_t read(void* to, size_t count) const;  // fewer than `count` bytes only at the end
  void write(std::string_view bytes) const;   // all of them
  void sync() const;
  void truncate() const;  // to length 0
  // flock(2). The lock ends when the descriptor is closed. lock() waits while another process holds
  // it; try_lock() returns 0 or an errno (EWOULDBLOCK: another process holds it).
  void lock() const;
  int try_lock() const;
  void close();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

// Throws Error{kIo, path}: "cannot ACTION: " and the system's text for the errno `error`.
[[noreturn]] void throw_io(const std::filesystem::path& path, std::string_view action, int error);

}  // namespace spanforge
