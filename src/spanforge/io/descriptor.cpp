#include "spanforge/io/descriptor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

template <class Call>
auto until_not_interrupted(const Call& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

void throw_io(const std::filesystem::path& path, std::string_view action, int error) {
  throw Error(ErrorCode::kIo, path.string(),
              fmt::format("cannot {}: {}", action, std::strerror(error)));
}

Descriptor::Descriptor(const std::filesystem::path& path, int flags, std::filesystem::path named)
    : path_(named.empty() ? path : std::move(named)) {
  fd_ = until_not_interrupted([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0666); });
  if (fd_ < 0) throw_io(path_, (flags & O_ACCMODE) == O_RDONLY ? "open" : "write", errno);
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

size_t Descriptor::read(void* to, size_t count) const {
  size_t done = 0;
  while (done < count) {
    const ssize_t n = until_not_interrupted(
        [&] { return ::read(fd_, static_cast<char*>(to) + done, count - done); });
    if (n < 0) throw_io(path_, "read", errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

void Descriptor::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t n =
        until_not_interrupted([&] { return ::write(fd_, bytes.data(), bytes.size()); });
    if (n < 0) throw_io(path_, "write", errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// An interrupted sync may be repeated: the kernel dropped nothing.
void Descriptor::sync() const {
  if (until_not_interrupted([&] { return ::fsync(fd_); }) != 0) throw_io(path_, "sync", errno);
}

void Descriptor::truncate() const {
  if (until_not_interrupted([&] { return ::ftruncate(fd_, 0); }) != 0) {
    throw_io(path_, "truncate", errno);
  }
}

void Descriptor::lock() const {
  if (until_not_interrupted([&] { return ::flock(fd_, LOCK_EX); }) != 0) {
    throw_io(path_, "lock", errno);
  }
}

int Descriptor::try_lock() const {
  return until_not_interrupted([&] { return ::flock(fd_, LOCK_EX | LOCK_NB); }) == 0 ? 0 : errno;
}

// Linux frees the descriptor even if close() fails, so close() is not repeated.
void Descriptor::close() {
  const int fd = std::exchange(fd_, -1);
  if (fd >= 0 && ::close(fd) != 0 && errno != EINTR) throw_io(path_, "close", errno);
}

}  // namespace spanforge
