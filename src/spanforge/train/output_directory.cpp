#include "spanforge/train/output_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

constexpr std::string_view kPartial = ".spanforge-partial-";
constexpr std::string_view kCheckpoint = "checkpoint-";

void sync_files(const fs::path& directory) {
  for (const std::string& name : list_directory(directory)) sync_file(directory / name);
}

void require_space(const fs::path& directory, uint64_t bytes) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return;  // the writes themselves will fail
  const uint64_t free = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  if (free >= bytes) return;
  throw Error(ErrorCode::kIo, directory.string(),
              fmt::format("{} MB are needed and {} MB are free: make room, then resume",
                          bytes >> 20, free >> 20));
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

// True if it holds a run of spanforge or of HF.
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
  if (ignored) return std::nullopt;  // making the directory will report why
  if (!at.has_filename()) at = at.parent_path();
  for (; at.has_relative_path(); at = at.parent_path()) {
    const std::string name = at.filename().string();
    const bool is_part = name == "trained" || checkpoint_step(name).has_value();
    if (is_part && (is_checkpoint(at) || is_run(at.parent_path()))) return at.parent_path();
  }
  return std::nullopt;
}

OutputDirectory::OutputDirectory(fs::path path, Use use) : path_(std::move(path)) {
  if (use == Use::kLook || !path_exists(path_)) return;
  if (!directory_exists(path_)) {
    throw Error(ErrorCode::kIo, path_.string(),
                "is not a directory; `output` needs one or a new name");
  }
  lock();
}

OutputDirectory::~OutputDirectory() { give_up(); }

void OutputDirectory::give_up() noexcept {
  if (!writing_) return;
  decide(*writing_, Writing::Next::kGiveUp);
  writing_->thread.join();
  writing_.reset();
}

void OutputDirectory::lock() {
  lock_ = Descriptor(path_, O_RDONLY | O_DIRECTORY);
  const int error = lock_.try_lock();
  if (error == EWOULDBLOCK) {
    throw Error(ErrorCode::kUsage, {.parameter = "output"},
                fmt::format("{} is in use by another training; give another directory or wait",
                            path_.string()));
  }
  locked_ = error == 0;
}

void OutputDirectory::create() {
  if (!lock_) {
    spanforge::create_directories(path_);
    lock();
    if (holds_run()) {  // the earlier check no longer holds
      throw Error(ErrorCode::kUsage, {.parameter = "output"},
                  fmt::format("another training has put a run into {} meanwhile; give another "
                              "directory",
                              path_.string()));
    }
  }
  // spanforge must not replace a file of such a name.
  for (const std::string& name : list_directory(path_)) {
    if ((name == "trained" || checkpoint_step(name)) && !directory_exists(path_ / name)) {
      throw Error(ErrorCode::kIo, (path_ / name).string(),
                  "is not a directory, and training will create one of that name: move it away");
    }
  }
  remove_leftovers();
}

fs::path OutputDirectory::checkpoint(int64_t step) const { return path_ / checkpoint_name(step); }

std::vector<int64_t> OutputDirectory::checkpoints() const {
  return path_exists(path_) ? checkpoint_steps(path_) : std::vector<int64_t>();
}

std::optional<int64_t> OutputDirectory::step_of(const fs::path& directory) const {
  for (const int64_t step : checkpoints()) {
    std::error_code error;  // an error is not a "no": --overwrite would remove a foreign directory
    if (fs::equivalent(checkpoint(step), directory, error)) return step;
    if (error) throw_io(checkpoint(step), "look at", error.value());
  }
  return std::nullopt;
}

bool OutputDirectory::holds_run() const { return !checkpoints().empty() || path_exists(trained()); }

bool OutputDirectory::manages(const fs::path& path) const {
  if (path.empty()) return false;
  std::error_code ignored;
  const fs::path inside =
      fs::weakly_canonical(path, ignored).lexically_relative(fs::weakly_canonical(path_, ignored));
  if (inside.empty()) return false;
  const std::string name = inside.begin()->string();
  return name == "trained" || checkpoint_step(name) || name.starts_with(kPartial);
}

void OutputDirectory::publish(const std::string& name, uint64_t bytes_needed, const Fill& fill) {
  begin(name, bytes_needed, fill);
  finish([](DirectoryWriter&) {});
  wait();
}

OutputDirectory::Writing::Writing(const fs::path& output, std::string of)
    : name(std::move(of)),
      staging(partial_of(output, name), output / name, DirectoryWriter::Sync::kByCaller) {}

void OutputDirectory::begin(const std::string& name, uint64_t bytes_needed, Fill fill) {
  wait();
  require_space(path_, bytes_needed);
  auto begun = std::make_unique<Writing>(path_, name);
  begun->thread = std::thread([&writing = *begun, fill = std::move(fill)] {
    try {
      write(writing, fill);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(writing.mutex);
      writing.error = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(writing.mutex);
    writing.filled = writing.done = true;
    writing.changed.notify_all();
  });
  writing_ = std::move(begun);
}

// Runs on the other thread.
void OutputDirectory::write(Writing& writing, const Fill& fill) {
  writing.staging.fill(fill);
  std::unique_lock<std::mutex> lock(writing.mutex);
  writing.filled = true;
  writing.changed.notify_all();
  writing.changed.wait(lock, [&] { return writing.next != Writing::Next::kUndecided; });
  const bool settles = writing.next == Writing::Next::kSettle;
  lock.unlock();
  if (settles) settle(writing.staging);
  writing.staging.remove();  // what was given up, or replaced
}

void OutputDirectory::finish(const Fill& fill) {
  if (writing_->done) return wait();  // it failed: throws the error
  try {
    writing_->staging.fill(fill);
  } catch (...) {
    wait();  // gives up; throws the other thread's error, which may be the cause
    throw;
  }
  decide(*writing_, Writing::Next::kSettle);
}

// The first decision is final.
void OutputDirectory::decide(Writing& writing, Writing::Next next) {
  const std::lock_guard<std::mutex> lock(writing.mutex);
  if (writing.next == Writing::Next::kUndecided) writing.next = next;
  writing.changed.notify_all();
}

bool OutputDirectory::begun(const std::string& name) const {
  if (!writing_ || writing_->name != name) return false;
  const std::lock_guard<std::mutex> lock(writing_->mutex);
  return writing_->next == Writing::Next::kUndecided;
}

void OutputDirectory::wait_until_filled() {
  if (!writing_) return;
  bool failed = false;
  {
    std::unique_lock<std::mutex> lock(writing_->mutex);
    writing_->changed.wait(lock, [&] { return writing_->filled; });
    failed = writing_->error != nullptr;
  }
  if (failed) wait();
}

void OutputDirectory::wait() {
  if (!writing_) return;
  decide(*writing_, Writing::Next::kGiveUp);
  writing_->thread.join();
  const std::unique_ptr<Writing> written = std::move(writing_);
  if (written->error) std::rethrow_exception(written->error);
}

void OutputDirectory::settle(StagingDirectory& staging) {
  staging.fill([](const DirectoryWriter& writer) {
    sync_files(writer.directory());
    DirectoryWriter synced(writer.directory());
    write_manifest(synced, writer.written());
  });
  staging.replace();
}

void OutputDirectory::remove(const std::string& name) {
  const fs::path target = path_ / name;
  if (!path_exists(target)) return;
  const fs::path doomed = path_ / fmt::format("{}removed-{}", kPartial, name);
  remove_tree(doomed);
  if (::rename(target.c_str(), doomed.c_str()) != 0) throw_io(target, "remove", errno);
  remove_tree(doomed);
}

void OutputDirectory::remove_run() {
  remove_after(-1);
  remove("log.jsonl");
}

// Removes from the end, so that a kill leaves a state that the run once had.
void OutputDirectory::remove_after(int64_t step) {
  remove("trained");
  std::vector<int64_t> steps = checkpoints();
  std::reverse(steps.begin(), steps.end());
  for (const int64_t later : steps) {
    if (later > step) remove(checkpoint_name(later));
  }
}

// True if `leftover` is a directory that exchange() put aside and nothing has replaced it.
bool OutputDirectory::put_back(const std::string& leftover) const {
  if (!leftover.ends_with(StagingDirectory::kAside)) return false;
  const fs::path place =
      path_ / leftover.substr(kPartial.size(),
                              leftover.size() - kPartial.size() - StagingDirectory::kAside.size());
  if (path_exists(place)) return false;
  rename_path(path_ / leftover, place);
  return true;
}

void OutputDirectory::remove_leftovers() {
  for (const std::string& name : list_directory(path_)) {
    if (name.starts_with(kPartial)) {
      if (!put_back(name)) remove_tree(path_ / name);
    } else if (name.starts_with("log.jsonl.") && name.ends_with(".tmp")) {
      remove_tree(path_ / name);
    }
  }
}

std::string checkpoint_name(int64_t step) { return fmt::format("{}{}", kCheckpoint, step); }

std::vector<int64_t> checkpoint_steps(const fs::path& directory) {
  std::vector<int64_t> steps;
  for (const std::string& name : list_directory(directory)) {
    const auto step = checkpoint_step(name);
    if (step && directory_exists(directory / name)) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
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
