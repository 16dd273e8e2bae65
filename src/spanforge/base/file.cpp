#include "spanforge/base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "spanforge/base/background_writer.h"
#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"

namespace spanforge {
namespace {

// From this size on a file is written in the background.
constexpr size_t kLargeFile = size_t{8} << 20;

thread_local DirectoryFill* current_fill = nullptr;

[[noreturn]] void fail(const fs::path& path, std::string_view action, int error) {
  throw Error(ErrorCode::kIo, path.string(), fmt::format("cannot {}: {}", action, std::strerror(error)));
}

// Opens a regular file for reading. O_NONBLOCK so that a FIFO cannot hang the open; it has no
// effect on regular files.
int open_regular(const fs::path& path, size_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail(path, "open", errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    const int error = errno;
    ::close(fd);
    fail(path, "read its size", error);
  }
  if (!S_ISREG(info.st_mode)) {
    ::close(fd);
    throw Error(ErrorCode::kIo, path.string(),
                S_ISDIR(info.st_mode) ? "is a directory, a file is needed" : "is not a regular file");
  }
  size = static_cast<size_t>(info.st_size);
  return fd;
}

}  // namespace

std::string read_file(const fs::path& path) {
  size_t size = 0;
  const int fd = open_regular(path, size);
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd, bytes.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      ::close(fd);
      fail(path, "read", error);
    }
    if (n == 0) break;  // the file shrank while it was read
    done += static_cast<size_t>(n);
  }
  ::close(fd);
  bytes.resize(done);
  return bytes;
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  fd_ = open_regular(path, size_);
  if (size_ == 0) {  // mmap refuses length 0
    data_ = "";
    return;
  }
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd_, 0);
  if (address == MAP_FAILED) {
    const int error = errno;
    ::close(fd_);
    fail(path, "map", error);
  }
  data_ = static_cast<const char*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      fd_(std::exchange(other.fd_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(fd_, other.fd_);
  return *this;
}

MappedFile::~MappedFile() {
  if (size_ != 0) ::munmap(const_cast<char*>(data_), size_);
  if (fd_ >= 0) ::close(fd_);
}

bool MappedFile::holds(std::string_view part) const {
  const std::less_equal<const char*> not_after;
  return not_after(data_, part.data()) && not_after(part.data() + part.size(), data_ + size_);
}

void MappedFile::copy(std::string_view part, void* to) const {
  while (!part.empty()) {
    const ssize_t n = ::pread(fd_, to, part.size(), part.data() - data_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, "read", errno);
    if (n == 0) throw Error(ErrorCode::kIo, path_.string(), "was cut off while it was in use");
    part.remove_prefix(static_cast<size_t>(n));
    to = static_cast<char*>(to) + n;
  }
}

void MappedFile::release_before(size_t offset) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t size = std::min(offset, size_) / page * page;
  // A hint: where it is refused, the pages stay until the system wants them.
  if (size != 0) ::madvise(const_cast<char*>(data_), size, MADV_DONTNEED);
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)) {
  static std::atomic<unsigned> serial{0};
  temporary_ = path_;
  temporary_ += fmt::format(".{}-{}.tmp", ::getpid(), serial++);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path_, "write", errno);
}

AtomicFile::~AtomicFile() {
  writer_.reset();  // before its file is closed
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  size_ += bytes.size();
  if (writer_ == nullptr && pending_.size() + bytes.size() < kLargeFile) {
    pending_ += bytes;
    return;
  }
  if (writer_ == nullptr) {
    writer_ = std::make_unique<BackgroundWriter>(fd_, path_);
    writer_->write(std::exchange(pending_, {}));
  }
  writer_->write(bytes);
}

void AtomicFile::write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path_, "write", errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

DirectoryFill::Share::Share(DirectoryFill* fill) : outer_(std::exchange(current_fill, fill)) {}
DirectoryFill::Share::~Share() { current_fill = outer_; }

DirectoryFill::DirectoryFill() : share_(this) {}
DirectoryFill::~DirectoryFill() = default;
DirectoryFill* DirectoryFill::of_this_thread() { return current_fill; }

std::vector<WrittenFile> DirectoryFill::take_files() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(files_, {});
}

void DirectoryFill::note(WrittenFile file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  files_.push_back(std::move(file));
}

void AtomicFile::commit() {
  std::string sha256;
  if (writer_ != nullptr) {
    sha256 = writer_->finish();
    writer_.reset();
  } else {
    if (current_fill != nullptr) sha256 = sha256_hex(pending_);
    write_out(pending_);
  }
  // A failed fsync is never retried: the kernel may have dropped the dirty pages already.
  if (current_fill == nullptr && ::fsync(fd_) != 0) fail(path_, "sync", errno);
  if (::close(std::exchange(fd_, -1)) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail(path_, "close", error);
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail(path_, "rename into place", error);
  }
  if (current_fill != nullptr) current_fill->note({path_, size_, sha256});
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void sync_directory(const fs::path& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(directory, "open", errno);
  const int result = ::fsync(fd);
  const int error = errno;
  ::close(fd);
  // Some file systems do not sync directories and say so; that is not a failure of ours.
  if (result != 0 && error != EINVAL) fail(directory, "sync", error);
}

void create_directories(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    throw Error(ErrorCode::kIo, directory.string(), "cannot create the directory: " + error.message());
  }
}

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::string(value) : std::move(fallback);
}

}  // namespace spanforge
