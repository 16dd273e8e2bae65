#include "spanforge/train/output_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/formats/manifest.h"

namespace spanforge {
namespace {

constexpr std::string_view kPartial = ".spanforge-partial-";
constexpr std::string_view kCheckpoint = "checkpoint-";

[[noreturn]] void fail(const fs::path& path, std::string_view action, int error) {
  throw Error(ErrorCode::kIo, path.string(),
              fmt::format("cannot {}: {}", action, std::strerror(error)));
}

void sync_file(const fs::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(file, "open", errno);
  const int result = ::fsync(fd);  // a failed fsync is never tried again
  const int error = errno;
  ::close(fd);
  if (result != 0) fail(file, "sync", error);
}

void sync_tree(const fs::path& directory) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    if (entry.is_regular_file()) sync_file(entry.path());
  }
  if (error) throw Error(ErrorCode::kIo, directory.string(), "cannot read: " + error.message());
}

// Puts `from` at `to`; what was at `to` is then at `from`.
void exchange(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) fail(to, "replace", errno);
  const fs::path aside = from.string() + "-old";  // a file system that cannot exchange
  if (::rename(to.c_str(), aside.c_str()) != 0) fail(to, "move aside", errno);
  if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "rename into place", errno);
  if (::rename(aside.c_str(), from.c_str()) != 0) fail(aside, "rename", errno);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw Error(ErrorCode::kIo, path.string(), "cannot remove: " + error.message());
}

void require_space(const fs::path& directory, uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return;  // the writes themselves will tell
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (free >= bytes) return;
  throw Error(ErrorCode::kIo, directory.string(),
              fmt::format("{} MB are needed and {} MB free: make room, then resume", bytes >> 20,
                          free >> 20));
}

// Where body throws, the partial directory goes.
template <class Body>
void or_discard(const fs::path& partial, const Body& body) {
  try {
    body();
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(partial, ignored);
    throw;
  }
}

fs::path partial_of(const fs::path& directory, const std::string& name) {
  return directory / fmt::format("{}{}", kPartial, name);
}

std::optional<int64_t> checkpoint_step(const std::string& name) {
  if (!name.starts_with(kCheckpoint)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kCheckpoint.size(), end, step);
  if (error != std::errc() || stop != end || step < 0) return std::nullopt;
  return step;
}

bool is_checkpoint(const fs::path& path) {
  std::error_code ignored;
  return checkpoint_step(path.filename().string()) &&
         fs::exists(path / "trainer_state.json", ignored);
}

// Of spanforge or of HF.
bool is_run(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "log.jsonl", ignored)) return true;
  const fs::directory_iterator entries(folder, ignored);
  return std::any_of(begin(entries), end(entries), [](const auto& e) { return is_checkpoint(e); });
}

}  // namespace

std::optional<fs::path> run_around(const fs::path& path) {
  std::error_code ignored;
  fs::path at = fs::weakly_canonical(path, ignored);
  if (ignored) return std::nullopt;  // making it will say why
  if (!at.has_filename()) at = at.parent_path();
  for (; at.has_relative_path(); at = at.parent_path()) {
    const std::string name = at.filename().string();
    const bool is_part = name == "trained" || checkpoint_step(name).has_value();
    if (is_part && (is_checkpoint(at) || is_run(at.parent_path()))) return at.parent_path();
  }
  return std::nullopt;
}

OutputDirectory::OutputDirectory(fs::path path) : path_(std::move(path)) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path_, ignored);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) {
    throw Error(ErrorCode::kIo, path_.string(),
                "is not a directory; --output needs one or a new name");
  }
  lock();
}

OutputDirectory::~OutputDirectory() {
  if (settling_) settling_->thread.join();
  if (fd_ >= 0) ::close(fd_);
}

void OutputDirectory::lock() {
  fd_ = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) fail(path_, "open", errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return;
  if (errno == EWOULDBLOCK) {
    throw Error(ErrorCode::kUsage, "--output",
                fmt::format("{} is in use by another training; give another directory or wait",
                            path_.string()));
  }
  // A file system without locks: go on without.
}

void OutputDirectory::create() {
  if (fd_ < 0) {
    spanforge::create_directories(path_);
    lock();
  }
  remove_leftovers();
}

fs::path OutputDirectory::checkpoint(int64_t step) const {
  return path_ / fmt::format("{}{}", kCheckpoint, step);
}

std::vector<int64_t> OutputDirectory::checkpoints() const {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (!entry.is_directory()) continue;
    if (const auto step = checkpoint_step(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

bool OutputDirectory::holds_run() const { return !checkpoints().empty() || fs::exists(trained()); }

void OutputDirectory::publish(const std::string& name, uint64_t bytes_needed,
                              const std::function<void(const fs::path&)>& fill) {
  publish_later(name, bytes_needed, fill);
  wait();
}

void OutputDirectory::publish_later(const std::string& name, uint64_t bytes_needed,
                                    const std::function<void(const fs::path&)>& fill) {
  wait();
  require_space(path_, bytes_needed);
  const fs::path partial = partial_of(path_, name);
  remove_tree(partial);
  spanforge::create_directories(partial);
  std::vector<WrittenFile> written;
  or_discard(partial, [&] {
    DirectoryFill filling;
    fill(partial);
    written = filling.take_files();
  });
  auto settling = std::make_unique<Settling>();
  settling->thread = std::thread([this, name, written, &result = *settling] {
    try {
      settle(name, written);
    } catch (...) {
      result.error = std::current_exception();
    }
    result.done = true;
  });
  settling_ = std::move(settling);
}

void OutputDirectory::wait() {
  if (!settling_) return;
  settling_->thread.join();
  const std::unique_ptr<Settling> settled = std::move(settling_);
  if (settled->error) std::rethrow_exception(settled->error);
}

void OutputDirectory::settle(const std::string& name,
                             const std::vector<WrittenFile>& written) const {
  const fs::path partial = partial_of(path_, name), target = path_ / name;
  or_discard(partial, [&] {
    sync_tree(partial);
    write_manifest(partial, written);
    sync_directory(partial);
    if (fs::exists(target)) {
      exchange(partial, target);
    } else if (::rename(partial.c_str(), target.c_str()) != 0) {
      fail(target, "rename into place", errno);
    }
  });
  sync_directory(path_);
  remove_tree(partial);  // what was replaced
}

void OutputDirectory::remove(const std::string& name) {
  const fs::path target = path_ / name;
  if (!fs::exists(fs::symlink_status(target))) return;
  const fs::path doomed = path_ / fmt::format("{}removed-{}", kPartial, name);
  remove_tree(doomed);
  if (::rename(target.c_str(), doomed.c_str()) != 0) fail(target, "remove", errno);
  remove_tree(doomed);
}

void OutputDirectory::remove_run() {
  for (const int64_t step : checkpoints()) remove(checkpoint(step).filename().string());
  remove("trained");
  remove("log.jsonl");
}

void OutputDirectory::remove_leftovers() {
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kPartial) || (name.starts_with("log.jsonl.") && name.ends_with(".tmp"))) {
      leftovers.push_back(entry.path());
    }
  }
  for (const fs::path& path : leftovers) remove_tree(path);
}

std::vector<int64_t> checkpoints_to_remove(std::vector<int64_t> steps, int64_t limit,
                                           int64_t newest, std::optional<int64_t> best) {
  std::sort(steps.begin(), steps.end());
  auto excess = static_cast<int64_t>(steps.size()) - limit;
  std::vector<int64_t> removed;
  for (const int64_t step : steps) {
    if (excess <= 0) break;
    if (step == newest || step == best) continue;
    removed.push_back(step);
    --excess;
  }
  return removed;
}

}  // namespace spanforge
