#pragma once
// What: writes the files of one directory. A function that saves something takes the writer that it
//   saves with. The writer decides when the bytes must be on the disk, and lists what was written.
// Files: each gets its name when it is whole (AtomicFile in io/file.h), replacing an older one.
// Threads: several may create and write files at the same time.
// Errors: Error{kIo, path of the file or directory} with the system's reason.
// Example:
//   create_directories("model");
//   DirectoryWriter writer("model");
//   tokenizer.save(writer);
//   writer.write("notes.txt", "text");
//   for (const WrittenFile& file : writer.written()) print(file.path, file.sha256);
// For a directory that is to appear whole or not at all: NewDirectory and FileGroup (io/staging.h)
//   hand out a writer.

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
    kByCaller,  // nothing waits for the disk; the caller syncs all files once they are written
  };
  // The directory must exist: create_directories() makes it.
  explicit DirectoryWriter(fs::path directory, Sync sync = Sync::kEachFile);
  DirectoryWriter(const DirectoryWriter&) = delete;
  DirectoryWriter& operator=(const DirectoryWriter&) = delete;

  const fs::path& directory() const { return directory_; }

  // A file to be filled piece by piece; its commit() puts it in place. The writer must outlive it.
  AtomicFile create(const std::string& name);
  void write(const std::string& name, std::string_view bytes);
  // The text of `value`, as Python's json.dumps writes it, and a line end.
  void write_json(const std::string& name, const Json& value,
                  const PythonJsonStyle& style = {.indent = 2});

  // The files committed so far, in that order.
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
