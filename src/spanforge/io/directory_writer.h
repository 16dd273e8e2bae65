#pragma once
// What: writes the files of one directory. A function that saves something takes a writer. The
//   writer decides when the bytes must be on the disk, and lists the files that it wrote.
// Files: each gets its name when it is whole (AtomicFile in io/file.h) and replaces an older one.
// Threads: several may create and write files at the same time.
// Errors: Error{kIo, path of the file or directory} with the system's reason.
// Example:
//   create_directories("model");
//   DirectoryWriter writer("model");
//   tokenizer.save(writer);
//   writer.write("notes.txt", "text");
//   for (const WrittenFile& file : writer.written()) print(file.path, file.sha256);
// See also: NewDirectory and FileGroup (io/staging.h) provide a writer for files that must appear
//   all together or not at all.

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/io/file.h"

namespace spanforge {

class DirectoryWriter {
 public:
  enum class Sync {
    kEachFile,  // a file is on the disk before it gets its name
    kByCaller,  // does not wait for the disk; the caller syncs all files after writing them
  };
  // The directory must exist: create_directories() makes it.
  explicit DirectoryWriter(fs::path directory, Sync sync = Sync::kEachFile);
  DirectoryWriter(const DirectoryWriter&) = delete;
  DirectoryWriter& operator=(const DirectoryWriter&) = delete;

  const fs::path& directory() const { return directory_; }

  // A file to write piece by piece; its commit() puts it in place. The writer must outlive it.
  AtomicFile create(const std::string& name);
  void write(const std::string& name, std::string_view bytes);
  // Writes `value` as Python's json.dumps does, and a line end.
  void write_json(const std::string& name, const Json& value,
                  const PythonJsonStyle& style = {.indent = 2});

  // The files committed so far, in order of their commits.
  std::vector<WrittenFile> written() const;

 private:
  friend class AtomicFile;
  void note(WrittenFile file);

  const fs::path directory_;
  const Sync sync_;
  mutable std::mutex mutex_;
  std::vector<WrittenFile> written_;
};

}  // namespace spanforge
