#include "spanforge/io/staging.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"

namespace spanforge {
namespace {

constexpr std::string_view kStaged = ".spanforge-staged-";

// "out/" and "out/." are "out".
fs::path bare(fs::path path) {
  while (path.has_parent_path() && path.has_relative_path() &&
         (!path.has_filename() || path.filename() == ".")) {
    path = path.parent_path();
  }
  return path;
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// Best effort: ignores directories that it cannot read or remove.
void remove_abandoned(const fs::path& parent) {
  std::vector<std::string> names;
  try {
    names = list_directory(parent);
  } catch (const Error&) {
  }
  for (const std::string& name : names) {
    if (!name.starts_with(kStaged)) continue;
    try {
      const Descriptor directory(parent / name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      if (directory.try_lock() == 0) remove_tree(parent / name);
    } catch (const Error&) {
    }
  }
}

// Whether the target exists. Throws if it is not a directory that is empty but for staged files.
bool is_empty_directory(const fs::path& target) {
  if (!path_exists(target)) {
    std::error_code ignored;
    if (!fs::is_symlink(fs::symlink_status(target, ignored))) return false;
    throw Error(ErrorCode::kIo, target.string(), "is a broken link; name a new directory");
  }
  if (directory_exists(target)) {
    const std::vector<std::string> names = list_directory(target);
    if (std::all_of(names.begin(), names.end(),
                    [](const std::string& name) { return name.starts_with(kStaged); })) {
      return true;
    }
  }
  throw Error(ErrorCode::kUsage, target.string(), "is there already; name a new directory");
}

struct Placed {
  std::string name;
  enum class How { kNew, kExchanged, kReplaced } how;
};

// An exchange keeps the old file, so that it can be undone.
Placed::How place(const fs::path& from, const fs::path& to) {
  std::error_code error;
  const fs::file_type there = fs::symlink_status(to, error).type();
  if (there == fs::file_type::none) throw_io(to, "look it up", error.value());
  const bool is_new = there == fs::file_type::not_found;
  if (!is_new && exchange_paths(from, to)) return Placed::How::kExchanged;
  rename_path(from, to);
  return is_new ? Placed::How::kNew : Placed::How::kReplaced;
}

// Undoes the renames. Returns the end of an error's reason, which lists those that it could not
// undo.
std::string undo(const std::vector<Placed>& placed, const fs::path& staged,
                 const fs::path& directory) {
  std::vector<std::string> new_files;
  for (const Placed& file : placed) {
    const fs::path from = staged / file.name, to = directory / file.name;
    bool undone = false;
    if (file.how == Placed::How::kNew) undone = ::rename(to.c_str(), from.c_str()) == 0;
    if (file.how == Placed::How::kExchanged) {
      undone = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0;
    }
    if (!undone) new_files.push_back(file.name);
  }
  return new_files.empty() ? "" : "; new already: " + join(new_files, ", ");
}

// Moves the staged files into `directory`, the file named `last` after the others.
void put_in_place(StagingDirectory& staging, const fs::path& directory,
                  std::string_view last = "") {
  std::vector<std::string> names;
  staging.fill([&](const DirectoryWriter& staged) {
    sync_directory(staged.directory());
    names = list_directory(staged.directory());
  });
  std::stable_partition(names.begin(), names.end(),
                        [&](const std::string& name) { return name != last; });
  for (const std::string& name : names) require_replaceable(directory / name);
  std::vector<Placed> placed;
  try {
    for (const std::string& name : names) {
      placed.push_back({name, place(staging.path() / name, directory / name)});
    }
  } catch (const Error& error) {
    throw error.with_reason(error.reason() + undo(placed, staging.path(), directory));
  }
}

}  // namespace

MadeDirectory::MadeDirectory(const fs::path& directory) {
  for (fs::path path = directory; !path.empty() && !path_exists(path); path = path.parent_path()) {
    made_.push_back(path);
  }
  spanforge::create_directories(directory);
}

MadeDirectory::~MadeDirectory() {
  for (const fs::path& path : made_) {
    if (::rmdir(path.c_str()) != 0) return;
  }
}

StagingDirectory::StagingDirectory(const fs::path& parent, fs::path target)
    : target_(std::move(target)) {
  static std::atomic<unsigned> serial{0};
  remove_abandoned(parent);
  while (!make(parent / fmt::format("{}{}-{}", kStaged, ::getpid(), serial++))) {
  }
  writer_.emplace(path_);
}

// false: the name is taken, or another process removed the directory before it was locked.
bool StagingDirectory::make(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) != 0) {
    if (errno == EEXIST) return false;
    throw_io(target_, "write to it", errno);
  }
  path_ = path;
  try {
    lock_ = Descriptor(path, O_RDONLY | O_DIRECTORY, target_);
  } catch (const Error&) {
    if (!path_exists(path)) return false;
    ::rmdir(path.c_str());
    throw;
  }
  lock_.try_lock();  // may fail: without locks, remove_abandoned() removes nothing either
  struct stat info {};
  return ::fstat(lock_.get(), &info) != 0 || info.st_nlink > 0;
}

StagingDirectory::StagingDirectory(fs::path path, fs::path target, DirectoryWriter::Sync sync)
    : path_(std::move(path)), target_(std::move(target)) {
  remove_tree(path_);
  if (::mkdir(path_.c_str(), 0777) != 0) throw_io(target_, "create", errno);
  writer_.emplace(path_, sync);
}

StagingDirectory::~StagingDirectory() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void StagingDirectory::fill(const Fill& write) {
  try {
    write(*writer_);
  } catch (const Error&) {
    rethrow_with_shown_file(path_, target_);
  }
}

void StagingDirectory::place() {
  fill([&](const DirectoryWriter&) {
    sync_directory(path_);
    rename_path(path_, target_);
  });
  sync_directory(parent_of(target_));
}

void StagingDirectory::replace() {
  if (!path_exists(target_)) return place();
  fill([&](const DirectoryWriter&) {
    sync_directory(path_);
    exchange();
  });
  sync_directory(parent_of(target_));
}

void StagingDirectory::exchange() {
  if (exchange_paths(path_, target_)) return;
  const fs::path aside = path_.string() + std::string(kAside);
  rename_path(target_, aside);
  try {
    rename_path(path_, target_);
  } catch (const Error&) {
    ::rename(aside.c_str(), target_.c_str());
    throw;
  }
  rename_path(aside, path_);
}

void StagingDirectory::remove() {
  fill([](const DirectoryWriter& staged) { remove_tree(staged.directory()); });
  path_.clear();
}

FileGroup::FileGroup(const fs::path& directory)
    : directory_(bare(directory)), made_(directory_), staging_(directory_, directory_) {}

void FileGroup::commit() {
  put_in_place(staging_, directory_);
  made_.keep();
  sync_directory(directory_);
}

NewDirectory::NewDirectory(const fs::path& target, std::string last)
    : target_(bare(target)),
      last_(std::move(last)),
      is_there_(is_empty_directory(target_)),
      beside_(is_there_ ? target_ : parent_of(target_)),
      made_(beside_),
      staging_(beside_, target_) {}

void NewDirectory::commit() {
  if (is_there_ && is_empty_directory(target_)) {  // it is still there and empty
    put_in_place(staging_, target_, last_);
    sync_directory(target_);
  } else {
    staging_.place();
  }
  made_.keep();
}

}  // namespace spanforge
