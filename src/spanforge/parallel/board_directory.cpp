#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/board.h"
#include "spanforge/parallel/random_name.h"

namespace spanforge {
namespace {

constexpr std::string_view kPrefix = "spanforge-";  // of all names in the directory
constexpr std::string_view kLockName = "spanforge-lock";

std::vector<std::string> list_if_there(const fs::path& directory) {
  try {
    return list_directory(directory);
  } catch (const Error&) {
    return {};
  }
}

// Puts a file in place whole, and holds a lock on it.
Descriptor put_locked(const fs::path& file, std::string_view text) {
  const fs::path temporary = file.parent_path() / ("." + random_name());
  Descriptor out(temporary, O_WRONLY | O_CREAT | O_EXCL, file);
  out.try_lock();  // in a new file only a missing lock service refuses
  out.write(text);
  rename_path(temporary, file);
  return out;
}

// True if no process holds a lock on the file, which each living one does.
bool is_dead(const fs::path& file) {
  try {
    return Descriptor(file, O_RDONLY).try_lock() == 0;
  } catch (const Error&) {
    return true;
  }
}

// Each entry is a file. One made by hold() is locked while its process lives.
class DirectoryBoard : public Board {
 public:
  DirectoryBoard(fs::path directory, bool removes_directory)
      : directory_(std::move(directory)), removes_directory_(removes_directory) {
    spanforge::create_directories(directory_);
  }

  std::string place() const override { return directory_.string(); }
  std::chrono::milliseconds lag() const override { return std::chrono::milliseconds(0); }
  std::chrono::milliseconds pause() const override { return std::chrono::milliseconds(10); }

  // A file that its holder removed meanwhile is no lock.
  bool try_lock() override {
    const fs::path file = directory_ / kLockName;
    Descriptor opened(file, O_RDWR | O_CREAT);
    const int error = opened.try_lock();
    struct stat held {};
    struct stat named {};
    const bool same = ::fstat(opened.get(), &held) == 0 && ::stat(file.c_str(), &named) == 0 &&
                      held.st_ino == named.st_ino;
    if (error == EWOULDBLOCK || !same) return false;
    lock_ = std::move(opened);
    return true;
  }

  // A rank that still takes an earlier start's folder for this one's may be putting its file there.
  // So each entry first gets a name that nobody knows.
  void remove_all() override {
    for (const std::string& name : list_if_there(directory_)) {
      if (!name.starts_with(kPrefix) || name == kLockName) continue;
      const fs::path gone = directory_ / (std::string(kPrefix) + "gone-" + random_name());
      rename_path(directory_ / name, gone);
      remove_tree(gone);
    }
  }

  void give_up() override {
    remove_tree(directory_ / kLockName);
    lock_ = Descriptor();
    std::error_code ignored;
    if (removes_directory_) fs::remove(directory_, ignored);
  }

  void make_folder(const std::string& folder) override {
    spanforge::create_directories(file_of(folder));
    made_ = folder;
  }

  void put(const std::string& name, std::string_view text) override {
    put_locked(file_of(name), text);
  }

  bool hold(const std::string& name, std::string_view text) override {
    try {
      held_ = put_locked(file_of(name), text);
      held_name_ = name;
      return true;
    } catch (const Error&) {
      // Others' folders may be those of an earlier start, which are being removed.
      if (!made_.empty() && name.starts_with(made_ + "/")) throw;
      return false;
    }
  }

  std::optional<std::string> read(const std::string& name) override {
    try {
      const fs::path file = file_of(name);
      if (!path_exists(file)) return std::nullopt;
      return read_file(file);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  std::vector<std::string> living(const std::string& folder, std::string_view prefix) override {
    std::vector<std::string> found;
    for (const std::string& name : list_if_there(file_of(folder))) {
      if (!name.starts_with(prefix)) continue;
      // On some file systems this process's own lock would not refuse it.
      const std::string whole = folder + "/" + name;
      if (whole == held_name_ || !is_dead(file_of(whole))) found.push_back(name);
    }
    return found;
  }

 private:
  fs::path file_of(const std::string& name) const {
    return directory_ / (std::string(kPrefix) + name);
  }

  const fs::path directory_;
  const bool removes_directory_;
  Descriptor lock_, held_;
  std::string held_name_, made_;
};

}  // namespace

std::unique_ptr<Board> make_directory_board(const fs::path& directory, bool removes_directory) {
  return std::make_unique<DirectoryBoard>(directory, removes_directory);
}

std::string start_digest(const Launch& launch) {
  return launch.start.empty() ? "" : sha256_hex(launch.start).substr(0, 16);
}

std::filesystem::path default_rendezvous(const Launch& launch) {
  if (launch.on_this_host != launch.size || launch.start.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "rendezvous"},
                fmt::format("is needed to start {} processes: a directory that all of them see, or "
                            "redis://HOST",
                            launch.size));
  }
  // One folder a user, which nobody else can write to.
  const fs::path mine =
      fs::temp_directory_path() / fmt::format("spanforge-{}", static_cast<unsigned>(::getuid()));
  ::mkdir(mine.c_str(), 0700);
  struct stat found {};
  if (::lstat(mine.c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != ::getuid() ||
      (found.st_mode & 0077) != 0) {
    throw Error(ErrorCode::kIo, mine.string(),
                "is not a directory of this user alone; give `rendezvous`");
  }
  return mine / start_digest(launch);
}

}  // namespace spanforge
