#pragma once
// What: the files a command makes, all or none. They are written into a hidden directory beside
//   their places, .spanforge-staged-PID-N, and put in place by commit() when each is whole and
//   synced. Without commit() nothing is left, not even a directory that was made for them.
// Kills: one before commit() leaves the hidden directory and nothing else. A lock (flock), which
//   ends with the process, tells it from one in use, and whoever stages there next removes it.
// Errors: Error{kIo}, whose file is where it was to go; nobody knows the hidden directory.

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

// Makes a directory and those above it. At the end those made go again, as far as they are empty,
// unless keep() was called.
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

// The hidden directory. Whole directories get to their places through it: NewDirectory below, and
// the checkpoints of a training.
class StagingDirectory {
 public:
  // target: where what is staged will be; errors name it. Other processes may stage in `parent`,
  // too. Removes what dead ones left there first.
  StagingDirectory(const fs::path& parent, fs::path target);
  // Stages at `path`, in place of what a dead process left there. The caller keeps other processes
  // out of the directory around it.
  StagingDirectory(fs::path path, fs::path target, DirectoryWriter::Sync sync);
  StagingDirectory(const StagingDirectory&) = delete;
  StagingDirectory& operator=(const StagingDirectory&) = delete;
  ~StagingDirectory();  // removes it with all that is in it

  const fs::path& path() const { return path_; }
  using Fill = std::function<void(DirectoryWriter&)>;
  void fill(const Fill& write);  // calls write() with the writer of path()

  // Moves the directory to the target, where nothing may be but an empty directory, durably.
  void place();
  // The same, but a directory that is at the target and the staged one change places. Where the
  // file system cannot exchange two names, the old directory is at path() + kAside between two
  // renames, and a kill there leaves it so: who finds it puts it back.
  void replace();
  static constexpr std::string_view kAside = "-aside";
  // Removes the directory now: what was staged and is given up, or what was replaced.
  void remove();

 private:
  bool make(const fs::path& path);
  void exchange();
  fs::path path_, target_;  // path_: empty once it is removed
  Descriptor lock_;
  std::optional<DirectoryWriter> writer_;
};

// Files of one directory that belong together. commit() renames them one behind the other and does
// nothing else between: a rename that fails is undone with those before it, and a kill just there
// leaves some of them new beside old or missing ones, each whole. A link that stands at a file's
// place is replaced, what it points to is left; what no file may replace (require_replaceable) is
// refused before the first rename.
class FileGroup {
 public:
  // Makes the directory, and finds out now whether it can be written to.
  explicit FileGroup(const fs::path& directory);
  // Writes some of the files: write(writer). Errors name them by their places.
  void fill(const StagingDirectory::Fill& write) { staging_.fill(write); }
  void commit();

 private:
  fs::path directory_;
  MadeDirectory made_;
  StagingDirectory staging_;
};

// A directory of its own. A new one is put in place by one rename: no kill leaves a part of it. An
// empty one that is there is filled as a FileGroup's is, since a link, a mount, the working
// directory or one in a closed parent cannot be renamed over, and its mode and group are the user's
// choice.
class NewDirectory {
 public:
  // last: the file without which the others count for nothing; it comes behind them.
  // Error{kUsage} where `target` is there already and is not an empty directory.
  NewDirectory(const fs::path& target, std::string last);
  void fill(const StagingDirectory::Fill& write) { staging_.fill(write); }
  void commit();

 private:
  fs::path target_;
  std::string last_;
  bool is_there_;
  fs::path beside_;     // where it is staged: in the target, or beside it
  MadeDirectory made_;  // what is above it
  StagingDirectory staging_;
};

}  // namespace spanforge
