#pragma once
// What: makes all files of a command appear, or none. They are written into a hidden directory next
//   to their final places, .spanforge-staged-PID-N. commit() moves them when all are whole and
//   synced. Without commit() nothing is left, not even a directory that was made for them.
// Kills: a kill before commit() leaves only the hidden directory. The next command that stages
//   there removes it: nobody holds its lock (flock), which ends with the process.
// Errors: Error{kIo}, which names the final place, not the hidden directory.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/io/descriptor.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"

namespace spanforge {

// Makes a directory and its missing parents. Without keep(), the destructor removes those that it
// made, if they are empty.
class MadeDirectory {
 public:
  explicit MadeDirectory(const fs::path& directory);
  MadeDirectory(const MadeDirectory&) = delete;
  MadeDirectory& operator=(const MadeDirectory&) = delete;
  ~MadeDirectory();
  void keep() { made_.clear(); }

 private:
  std::vector<fs::path> made_;  // the deepest first
};

// The hidden directory. NewDirectory below and the checkpoints of a training turn it into the
// target itself.
class StagingDirectory {
 public:
  // Makes the hidden directory in `parent`, and removes those that dead processes left there. Other
  // processes may stage there, too. target: the final place; errors name it.
  StagingDirectory(const fs::path& parent, fs::path target);
  // Stages at `path`, and removes what a dead process left there. REQUIRES: no other process uses
  // the parent directory.
  StagingDirectory(fs::path path, fs::path target, DirectoryWriter::Sync sync);
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;
  ~StagingDirectory();  // removes the directory with its contents

  const fs::path& path() const { return path_; }
  using Fill = std::function<void(DirectoryWriter&)>;
  void fill(const Fill& write);  // calls write() with the writer of path()

  // Moves the directory to the target, durably. The target must be absent or an empty directory.
  void place();
  // The same, but exchanges the staged directory with one that is at the target. If the file system
  // cannot exchange two names, the old directory is called path() + kAside between two renames. A
  // kill at that moment leaves it there; the caller that finds it must put it back.
  void replace();
  static constexpr std::string_view kAside = "-aside";
  // Removes the directory now: the staged files, or after replace() the old ones.
  void remove();

 private:
  bool make(const fs::path& path);
  void exchange();
  fs::path path_, target_;  // path_: empty after remove()
  Descriptor lock_;
  std::optional<DirectoryWriter> writer_;
};

// Files of one directory that belong together. commit() renames them one after the other and does
// nothing in between. If a rename fails, the earlier ones are undone. A kill during the renames
// leaves some files new and others old or missing, but each is whole. A link at a file's place is
// replaced; its target stays. Before the first rename, require_replaceable() checks every place.
class FileGroup {
 public:
  // Makes the directory, and throws now if it cannot be written to.
  explicit FileGroup(const fs::path& directory);
  // Calls write(writer), which writes some of the files. Errors name their final places.
  void fill(const StagingDirectory::Fill& write) { staging_.fill(write); }
  void commit();

 private:
  fs::path directory_;
  MadeDirectory made_;
  StagingDirectory staging_;
};

// A whole directory. One rename puts a new one in place: no kill leaves a part of it. An existing
// empty directory is filled as by FileGroup: its mode and group are the user's choice, and a rename
// cannot replace a link, a mount, the working directory or a directory in a read-only parent.
class NewDirectory {
 public:
  // last: the file without which the others are useless; it is renamed last.
  // Throws Error{kUsage} if `target` exists and is not an empty directory.
  NewDirectory(const fs::path& target, std::string last);
  void fill(const StagingDirectory::Fill& write) { staging_.fill(write); }
  void commit();

 private:
  fs::path target_;
  std::string last_;
  bool is_there_;       // an empty directory is at target_
  fs::path beside_;     // the parent of staging_: target_ if it exists, else its parent
  MadeDirectory made_;  // beside_ and the directories above it
  StagingDirectory staging_;
};

}  // namespace spanforge
