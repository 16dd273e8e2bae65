#include "spanforge/hub/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/io/file.h"

namespace spanforge {

PartialFile::PartialFile(const std::string& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd_ < 0) fail("open");
}

PartialFile::~PartialFile() { ::close(fd_); }

void PartialFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void PartialFile::start_again() {
  if (::ftruncate(fd_, 0) != 0) fail("truncate");
}

void PartialFile::sync() {
  if (::fsync(fd_) != 0) fail("sync");
}

void PartialFile::fail(const char* action) const {
  throw Error(ErrorCode::kIo, path_, fmt::format("cannot {}: {}", action, std::strerror(errno)));
}

uint64_t partial_size(const std::string& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

std::string partial_head(const std::string& path) {
  std::string head(200, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(file.gcount()));
  return head;
}

}  // namespace spanforge
