#pragma once
// What: OUTPUT as a transaction log: checkpoint-N/ and trained/ appear whole or not at all. A kill
//   never leaves a directory of such a name that is not whole.
// How: A directory is staged (io/staging.h) under a name that starts with ".spanforge-partial-": it
//   is filled, synced, given its manifest and renamed; then the parent is synced. Removal renames
//   first, too. The next start removes what a kill left.
// Large files: Another thread writes them from the caller's memory, which must not change until
//   wait_until_filled(). That thread then also syncs, writes the manifest and renames. So training
//   can evaluate and compute its next gradient meanwhile, without a copy of its weights. Only one
//   directory is written at a time.
// Processes: One process per directory. A lock (flock) on the directory itself ends with the
//   process.
// Errors: Error{kIo, path}; Error{kUsage, parameter "output"} if another process holds it.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "spanforge/io/file.h"
#include "spanforge/io/staging.h"

namespace spanforge {

class OutputDirectory {
 public:
  // Locks the directory if it exists. Otherwise does nothing before create(). Use::kLook: never
  // locks; functions that write must not be called.
  enum class Use { kWrite, kLook };
  explicit OutputDirectory(std::filesystem::path path, Use use = Use::kWrite);
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;
  ~OutputDirectory();

  // Creates and locks the directory if it did not exist, and removes what kills left. Error{kUsage,
  // parameter "output"} if another process has put a run there meanwhile.
  void create();
  // False on a file system without locks: then nothing keeps a second process out.
  bool locked() const { return locked_; }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint(int64_t step) const;
  std::filesystem::path trained() const { return path_ / "trained"; }
  std::vector<int64_t> checkpoints() const;  // steps, ascending
  // The step of the checkpoint here that is this directory, under any name; nullopt: it is none.
  std::optional<int64_t> step_of(const std::filesystem::path& directory) const;
  bool holds_run() const;  // a checkpoint or trained/
  // True if this class puts `path` in place or removes it as a whole, and for all paths inside one.
  bool manages(const std::filesystem::path& path) const;

  // Fills a new directory with `fill` and puts it at path()/name, replacing one that was there.
  // bytes_needed: Error{kIo} if the file system has less room.
  using Fill = StagingDirectory::Fill;
  void publish(const std::string& name, uint64_t bytes_needed, const Fill& fill);
  // publish() in steps. begin() starts `fill` on another thread. finish() adds the caller's part
  // and lets the other thread put the directory in place, which is done when wait() returns.
  // Without finish(), wait() and the destructor discard it. An error on the other thread is thrown
  // by wait_until_filled() or wait(), and then nothing was put in place.
  void begin(const std::string& name, uint64_t bytes_needed, Fill fill);
  void finish(const Fill& fill);
  bool begun(const std::string& name) const;  // begun and not finished
  // Joins the other thread and ignores its result. Its sources may then be destroyed.
  void give_up() noexcept;
  void wait_until_filled();  // until begin()'s `fill` no longer needs its sources
  bool writes_now() const { return writing_ != nullptr; }    // between begin() and wait()
  bool busy() const { return writing_ && !writing_->done; }  // true if wait() would wait
  void wait();
  void remove(const std::string& name);  // does nothing if it is absent
  void remove_run();                     // checkpoints, trained/, log.jsonl
  void remove_after(int64_t step);       // trained/ and the checkpoints after that step
  void remove_leftovers();

 private:
  // The other thread, its progress and orders, and its error.
  struct Writing {
    Writing(const std::filesystem::path& output, std::string of);
    const std::string name;
    StagingDirectory staging;  // filled by both threads
    std::thread thread;
    std::mutex mutex;
    std::condition_variable changed;
    bool filled = false;
    enum class Next { kUndecided, kSettle, kGiveUp } next = Next::kUndecided;
    std::exception_ptr error;
    std::atomic<bool> done = false;
  };

  void lock();
  bool put_back(const std::string& leftover) const;
  static void write(Writing& writing, const Fill& fill);
  static void settle(StagingDirectory& staging);
  static void decide(Writing& writing, Writing::Next next);
  std::filesystem::path path_;
  Descriptor lock_;
  bool locked_ = false;
  std::unique_ptr<Writing> writing_;
};

// The output folder of the run whose checkpoint or trained/ contains `path` or would contain it;
// nullopt if there is none.
std::optional<fs::path> run_around(const fs::path& path);

// checkpoint-N, and the N of those in a directory, ascending.
std::string checkpoint_name(int64_t step);
std::vector<int64_t> checkpoint_steps(const std::filesystem::path& directory);

// The checkpoints to remove if `limit` may stay: the oldest, but never `newest` or `best`.
std::vector<int64_t> checkpoints_to_remove(std::vector<int64_t> steps, int64_t limit,
                                           int64_t newest, std::optional<int64_t> best);

}  // namespace spanforge
