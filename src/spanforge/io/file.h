#pragma once
// What: reads and writes files safely. A file is written under a temporary name in the same
//   directory, synced, and renamed over the target. A reader sees the old file or the new one.
// Errors: all functions throw Error{kIo, path} with the system's reason.
// Units: bytes.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/io/descriptor.h"

namespace spanforge {

namespace fs = std::filesystem;

class BackgroundWriter;
class DirectoryWriter;

// Reads a whole regular file. Refuses a directory, FIFO or device without waiting. Text and data
// files that a user names may be pipes: io/input_file.h reads those.
std::string read_file(const fs::path& path);

// Of a file's contents. It reads instead of mapping, so that the file does not count as this
// process's memory.
struct FileHash {
  uint64_t size = 0;
  std::string sha256;
};
FileHash hash_file(const fs::path& path);

// Maps a regular file read-only. Movable; the mapping ends with the object.
// Another process may truncate the file. copy() then throws. Through bytes(), the rest of the last
// page reads as zeros, which expect_whole() detects; reading a later page raises SIGBUS, which ends
// the process.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  MappedFile(Descriptor file, fs::path named);  // an open regular file; named: the path in errors
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::string_view bytes() const { return {data_, size_}; }
  const fs::path& path() const { return path_; }
  bool holds(std::string_view part) const;
  // Copies a part of bytes(). Throws Error{kIo, path} if the file was truncated before its end.
  void copy(std::string_view part, void* to) const;
  // Throws Error{kIo, path} if the file is shorter than it was: discard all that was read from it.
  void expect_whole() const;
  // Frees the memory of the bytes before `offset`. They may be read again.
  void release_before(size_t offset) const;

 private:
  fs::path path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  Descriptor file_;
};

// Runs use(), which reads file.bytes(). Throws Error{kIo} instead of its result or its Error if
// `file` was truncated meanwhile.
template <class Use>
auto while_whole(const MappedFile& file, const Use& use) {
  try {
    auto made = use();
    file.expect_whole();
    return made;
  } catch (const Error&) {
    file.expect_whole();
    throw;
  }
}

// Throws Error{kIo, file} if `file` must not be replaced by a file: a directory, a device, a FIFO,
// a socket, a link to one of them, a name like /dev/stdout, or "-". Any other link may be replaced.
void require_replaceable(const fs::path& file);

// A file being written under a temporary name. commit() syncs it and renames it to `path`. Without
// commit() the destructor removes the temporary file and leaves `path` as it was.
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);  // calls require_replaceable(path)
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();
  const fs::path& path() const { return path_; }
  void write(std::string_view bytes);
  void commit();

 private:
  friend class DirectoryWriter;
  AtomicFile(fs::path path, DirectoryWriter* directory);

  DirectoryWriter* directory_ = nullptr;  // the writer that made it, or null
  fs::path path_, temporary_;             // temporary_: empty after commit() or a move
  Descriptor file_;
  uint64_t size_ = 0;
  std::string pending_;                       // the bytes of a small file
  std::unique_ptr<BackgroundWriter> writer_;  // writes a large file
};

void write_file_atomic(const fs::path& path, std::string_view bytes);

// A file that a DirectoryWriter put in place.
struct WrittenFile {
  fs::path path;
  uint64_t size = 0;
  std::string sha256;
};

// fsync. sync_directory() makes renames in the directory durable.
void sync_file(const fs::path& file);
void sync_directory(const fs::path& directory);
// Makes the directory and its parents, durably.
void create_directories(const fs::path& directory);

// These return false only if the path is absent. They throw if the system cannot say (an I/O error,
// a directory that may not be searched), so an existing file is never taken for missing.
bool path_exists(const fs::path& path);  // follows links
bool directory_exists(const fs::path& path);
std::optional<uint64_t> regular_file_size(
    const fs::path& path);  // nullopt: absent, or not a regular file
// Names of a directory's entries, sorted.
std::vector<std::string> list_directory(const fs::path& directory);
// Removes a file, or a directory with its contents. Does nothing if it is absent.
void remove_tree(const fs::path& path);
void rename_path(const fs::path& from, const fs::path& to);
// Exchanges two names. Returns false if the file system does not support it.
bool exchange_paths(const fs::path& from, const fs::path& to);

// In a catch block: rethrows the Error; a file at or below `hidden`, a path that the user does not
// know, becomes the one at or below `shown`.
[[noreturn]] void rethrow_with_shown_file(const fs::path& hidden, const fs::path& shown);

// The value of an environment variable; the fallback if it is not set.
std::string environment_or(const char* name, std::string fallback);

}  // namespace spanforge
