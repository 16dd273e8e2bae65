#pragma once
// Files, safely: every write goes to a temporary name in the same directory and is renamed over
// the target only when it is whole and synced, so a reader sees the old file or the new one.
// Errors: all functions throw Error{kIo, path} with the system's reason. Units: bytes.

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

// Reads a whole regular file; a directory, FIFO or device is refused, not waited for. The files
// that a user names as text or data may be pipes: io/input_file.h reads those.
std::string read_file(const fs::path& path);

// Maps a regular file read-only. Movable; the mapping ends with the object.
// Another process may truncate the file meanwhile. copy() then throws. Bytes that are read where
// they are mapped, through bytes(), are zeros up to the end of a page, which expect_whole()
// notices; to touch a page behind that raises SIGBUS, which ends the process.
class MappedFile {
 public:
  explicit MappedFile(const fs::path& path);
  MappedFile(Descriptor file, fs::path named);  // an open regular file; `named`: in messages
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  std::string_view bytes() const { return {data_, size_}; }
  const fs::path& path() const { return path_; }
  bool holds(std::string_view part) const;
  // Copies a part of bytes(). Error{kIo, path} if the file has been truncated before its end.
  void copy(std::string_view part, void* to) const;
  // Error{kIo, path} if the file is shorter than it was: nothing that was made of it counts.
  void expect_whole() const;
  // Lets go of the memory of the bytes before `offset`; reading them again maps them again.
  void release_before(size_t offset) const;

 private:
  fs::path path_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  Descriptor file_;
};

// For whoever reads a mapped file where it is: runs use(), then checks once that the file is as
// long as it was. Throws Error{kIo} instead of what use() returns or throws if it is not.
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

// Error{kIo, file} where something stands that no file is to replace: a directory, a device, a
// FIFO, a socket, a link to one, or /dev/stdout and its kin, for which "-" stands as well. Another
// link may be replaced.
void require_replaceable(const fs::path& file);

// A file being written under a temporary name; commit() syncs and renames it to `path`. Without
// commit() the destructor removes the temporary, and `path` is as it was.
class AtomicFile {
 public:
  explicit AtomicFile(fs::path path);  // which must be replaceable
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();
  const fs::path& path() const { return path_; }
  void write(std::string_view bytes);
  void commit();

 private:
  friend class DirectoryWriter;
  AtomicFile(fs::path path, DirectoryWriter* directory);

  DirectoryWriter* directory_ = nullptr;  // whose file it is; null: nobody's
  fs::path path_, temporary_;             // temporary_: empty once it is gone
  Descriptor file_;
  uint64_t size_ = 0;
  std::string pending_;                       // the bytes of a small file
  std::unique_ptr<BackgroundWriter> writer_;  // of a large one
};

void write_file_atomic(const fs::path& path, std::string_view bytes);

// A file that a DirectoryWriter put in place.
struct WrittenFile {
  fs::path path;
  uint64_t size = 0;
  std::string sha256;
};

// fsync of a file, and of a directory's entries, so that renames in it are durable.
void sync_file(const fs::path& file);
void sync_directory(const fs::path& directory);
// Makes the directory and its parents, durably.
void create_directories(const fs::path& directory);

// What the system says of a path. Only absence is false: where it cannot tell (an I/O error, a
// directory that may not be searched) these throw, so that nothing is taken for missing.
bool path_exists(const fs::path& path);  // follows links
bool directory_exists(const fs::path& path);
std::optional<uint64_t> regular_file_size(
    const fs::path& path);  // nullopt: absent, or something else
// Names of a directory's entries, sorted.
std::vector<std::string> list_directory(const fs::path& directory);
// Removes a file or a directory with all that is in it; nothing happens when it is absent.
void remove_tree(const fs::path& path);
void rename_path(const fs::path& from, const fs::path& to);
// Exchanges two names; false: the file system cannot.
bool exchange_paths(const fs::path& from, const fs::path& to);

// In a catch block: throws the Error again; a file at or below `hidden` becomes the one at or below
// `shown`, for who writes under a name that the user does not know.
[[noreturn]] void rethrow_with_shown_file(const fs::path& hidden, const fs::path& shown);

// $HOME-less systems and unset variables give nullopt / the fallback.
std::string environment_or(const char* name, std::string fallback);

}  // namespace spanforge
