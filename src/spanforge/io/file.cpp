#include "spanforge/io/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include <fmt/core.h>
#include <linux/magic.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/io/background_writer.h"
#include "spanforge/io/directory_writer.h"

namespace spanforge {
namespace {

// Files of at least this size are written in the background.
constexpr size_t kLargeFile = size_t{8} << 20;

constexpr const char* kTruncated = "was truncated while it was in use; start again";

// Opens a regular file for reading. O_NONBLOCK: opening a FIFO must not wait for a writer; regular
// files ignore it.
Descriptor open_regular(const fs::path& path) {
  Descriptor file(path, O_RDONLY | O_NONBLOCK);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_io(path, "read its size", errno);
  if (!S_ISREG(info.st_mode)) {
    throw Error(
        ErrorCode::kIo, path.string(),
        S_ISDIR(info.st_mode) ? "is a directory; a file is needed" : "is not a regular file");
  }
  return file;
}

size_t size_of(const Descriptor& file, const fs::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_io(path, "read its size", errno);
  return static_cast<size_t>(info.st_size);
}

// nullopt: the path is absent.
std::optional<struct stat> look_up(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return info;
  if (errno != ENOENT && errno != ENOTDIR) throw_io(path, "look it up", errno);
  return std::nullopt;
}

// Whether the path is, or links to, a name in /proc. /dev/stdout links there: it means the file
// that this process has open, possibly a regular one.
bool leads_to_proc(fs::path path) {
  std::error_code error;
  for (int hops = 0; hops < 40; ++hops) {  // Linux follows at most 40 links
    const fs::path parent = path.has_parent_path() ? path.parent_path() : fs::path(".");
    struct statfs system {};
    if (::statfs(parent.c_str(), &system) == 0 && system.f_type == PROC_SUPER_MAGIC) return true;
    if (!fs::is_symlink(fs::symlink_status(path, error))) return false;
    path = parent / fs::read_symlink(path, error);
  }
  return false;
}

}  // namespace

std::string read_file(const fs::path& path) {
  const Descriptor file = open_regular(path);
  std::string bytes(size_of(file, path), '\0');
  bytes.resize(file.read(bytes.data(), bytes.size()));  // the file may shrink meanwhile
  return bytes;
}

FileHash hash_file(const fs::path& path) {
  constexpr size_t kBlock = size_t{64} << 10;
  const Descriptor file(path, O_RDONLY);
  std::string block(kBlock, '\0');
  Sha256 hash;
  uint64_t size = 0;
  for (size_t count = kBlock; count == kBlock; size += count) {
    count = file.read(block.data(), kBlock);
    hash.update(std::string_view(block).substr(0, count));
  }
  return {size, hash.hex()};
}

MappedFile::MappedFile(const fs::path& path) : MappedFile(open_regular(path), path) {}

MappedFile::MappedFile(Descriptor file, fs::path named)
    : path_(std::move(named)), file_(std::move(file)) {
  size_ = size_of(file_, path_);
  if (size_ == 0) {  // mmap refuses length 0
    data_ = "";
    return;
  }
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file_.get(), 0);
  if (address == MAP_FAILED) throw_io(path_, "map", errno);
  data_ = static_cast<const char*>(address);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      file_(std::move(other.file_)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(file_, other.file_);
  return *this;
}

MappedFile::~MappedFile() {
  if (size_ == 0) return;
  ::munmap(const_cast<char*>(data_), size_);
}

bool MappedFile::holds(std::string_view part) const {
  const std::less_equal<const char*> not_after;
  return not_after(data_, part.data()) && not_after(part.data() + part.size(), data_ + size_);
}

void MappedFile::copy(std::string_view part, void* to) const {
  while (!part.empty()) {
    const ssize_t n = ::pread(file_.get(), to, part.size(), part.data() - data_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_io(path_, "read", errno);
    if (n == 0) throw Error(ErrorCode::kIo, path_.string(), kTruncated);
    part.remove_prefix(static_cast<size_t>(n));
    to = static_cast<char*>(to) + n;
  }
}

void MappedFile::expect_whole() const {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0) throw_io(path_, "read its size", errno);
  if (static_cast<size_t>(info.st_size) < size_) {
    throw Error(ErrorCode::kIo, path_.string(), kTruncated);
  }
}

void MappedFile::release_before(size_t offset) const {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t size = std::min(offset, size_) / page * page;
  // A hint: if the system refuses it, the pages stay until memory is needed.
  if (size != 0) ::madvise(const_cast<char*>(data_), size, MADV_DONTNEED);
}

void require_replaceable(const fs::path& file) {
  if (file == "-") {
    throw Error(ErrorCode::kIo, {.file = "-"},
                "is not a regular file; give another name (./- is a file called -)");
  }
  const auto there = look_up(file);
  if (there && S_ISDIR(there->st_mode)) {
    throw Error(ErrorCode::kIo, file.string(), "is a directory; give the name of a file");
  }
  if ((there && !S_ISREG(there->st_mode)) || leads_to_proc(file)) {
    throw Error(ErrorCode::kIo, file.string(), "is not a regular file; give another name");
  }
}

AtomicFile::AtomicFile(fs::path path) : AtomicFile(std::move(path), nullptr) {}

// A killed process may have left the same temporary name: process ids are reused.
AtomicFile::AtomicFile(fs::path path, DirectoryWriter* directory)
    : directory_(directory), path_(std::move(path)) {
  require_replaceable(path_);
  static std::atomic<unsigned> serial{0};
  struct stat taken {};
  do {
    // A name has at most 255 bytes.
    const std::string name = path_.filename().string().substr(0, 200);
    temporary_ = path_.parent_path() / fmt::format("{}.{}-{}.tmp", name, ::getpid(), serial++);
  } while (::lstat(temporary_.c_str(), &taken) == 0);
  file_ = Descriptor(temporary_, O_WRONLY | O_CREAT | O_EXCL, path_);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : directory_(other.directory_),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::move(other.file_)),
      size_(other.size_),
      pending_(std::move(other.pending_)),
      writer_(std::move(other.writer_)) {}

AtomicFile::~AtomicFile() {
  writer_.reset();  // before file_ is closed
  file_ = Descriptor();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  size_ += bytes.size();
  if (writer_ == nullptr && pending_.size() + bytes.size() < kLargeFile) {
    pending_ += bytes;
    return;
  }
  if (writer_ == nullptr) {
    writer_ = std::make_unique<BackgroundWriter>(file_.get(), path_);
    writer_->write(std::exchange(pending_, {}));
  }
  writer_->write(bytes);
}

void AtomicFile::commit() {
  std::string sha256;
  if (writer_ != nullptr) {
    sha256 = writer_->finish();
    writer_.reset();
  } else {
    if (directory_ != nullptr) sha256 = sha256_hex(pending_);
    file_.write(pending_);
  }
  const bool caller_syncs =
      directory_ != nullptr && directory_->sync_ == DirectoryWriter::Sync::kByCaller;
  if (!caller_syncs) file_.sync();
  file_.close();
  rename_path(temporary_, path_);
  temporary_.clear();
  if (directory_ != nullptr) directory_->note({path_, size_, sha256});
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

void sync_file(const fs::path& file) { Descriptor(file, O_RDONLY).sync(); }

void sync_directory(const fs::path& directory) {
  const Descriptor open(directory, O_RDONLY | O_DIRECTORY);
  while (::fsync(open.get()) != 0) {
    if (errno == EINTR) continue;
    // Some file systems cannot sync a directory; that is not an error.
    if (errno == EINVAL) return;
    throw_io(directory, "sync", errno);
  }
}

void create_directories(const fs::path& directory) {
  std::vector<fs::path> missing;  // the deepest first
  for (fs::path path = directory; !path.empty() && !path_exists(path); path = path.parent_path()) {
    missing.push_back(path);
  }
  const auto refuse = [&](int error) { throw_io(directory, "create the directory", error); };
  if (directory.empty()) refuse(ENOENT);
  if (missing.empty() && !directory_exists(directory)) refuse(ENOTDIR);
  for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
    if (::mkdir(path->c_str(), 0777) == 0) continue;
    const int error = errno;  // another process may have made it; "x" makes "x/", too
    if (error != EEXIST || !directory_exists(*path)) refuse(error);
  }
  for (const fs::path& made : missing) {
    const fs::path parent = made.has_parent_path() ? made.parent_path() : fs::path(".");
    // A directory that may be searched but not read cannot be opened to be synced.
    if (::access(parent.c_str(), R_OK) == 0) sync_directory(parent);
  }
}

bool path_exists(const fs::path& path) { return look_up(path).has_value(); }

bool directory_exists(const fs::path& path) {
  const auto info = look_up(path);
  return info && S_ISDIR(info->st_mode);
}

std::optional<uint64_t> regular_file_size(const fs::path& path) {
  const auto info = look_up(path);
  if (!info || !S_ISREG(info->st_mode)) return std::nullopt;
  return static_cast<uint64_t>(info->st_size);
}

std::vector<std::string> list_directory(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(directory, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) throw_io(directory, "read", error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw_io(path, "remove", error.value());
}

void rename_path(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) throw_io(to, "rename into place", errno);
}

bool exchange_paths(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS) return false;
  throw_io(to, "replace", errno);
}

void rethrow_with_shown_file(const fs::path& hidden, const fs::path& shown) {
  try {
    throw;
  } catch (const Error& error) {
    if (!error.file().starts_with(hidden.string())) throw;
    throw error.with_file(shown.string() + error.file().substr(hidden.string().size()));
  }
}

std::string environment_or(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::string(value) : std::move(fallback);
}

}  // namespace spanforge
