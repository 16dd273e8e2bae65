#pragma once
// What: OUTPUT as a transaction log: checkpoint-N/ and trained/ appear whole or not at all, and no
//   kill leaves a directory of such a name that is not whole.
// How: a directory is staged (io/staging.h) under a name that starts with ".spanforge-partial-": it
//   is filled, synced, given its manifest, renamed, and the parent synced. Removal renames first,
//   too. What kills left behind is removed at the next start.
// Large files are written from memory that the caller keeps as it is until wait_until_filled(), by
//   another thread, which then also syncs, writes the manifest and renames; one directory at a
//   time. So training evaluates and computes its next gradient meanwhile, without a copy of its
//   weights.
// One process a directory: a lock (flock) on the directory itself, which ends with the process.
// Errors: Error{kIo, path}; Error{kUsage, parameter "output"} when another process holds it.

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
  // Locks the directory when it exists; else nothing is touched before create().
  explicit OutputDirectory(std::filesystem::path path);
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;
  ~OutputDirectory();

  // Makes and locks it where it was not there, and removes what kills left. Error{kUsage,
  // parameter "output"} when another process has put a run there since.
  void create();
  // False on a file system without locks: nothing keeps a second process out.
  bool locked() const { return locked_; }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoint(int64_t step) const;
  std::filesystem::path trained() const { return path_ / "trained"; }
  std::vector<int64_t> checkpoints() const;  // steps, ascending
  // Of the checkpoint here that the directory is, by whatever name; nullopt: it is none of them.
  std::optional<int64_t> step_of(const std::filesystem::path& directory) const;
  bool holds_run() const;  // a checkpoint or trained/
  // True for what would be put in place or removed here as a whole, and for what lies in it.
  bool manages(const std::filesystem::path& path) const;

  // Fills a new directory by `fill` and puts it at path()/name, in place of one that was there.
  // bytes_needed: refused with Error{kIo} when the file system has less room.
  using Fill = StagingDirectory::Fill;
  void publish(const std::string& name, uint64_t bytes_needed, const Fill& fill);
  // The same in steps. begin() starts `fill` on another thread; finish() adds the caller's part to
  // the directory and lets the other thread put it in place, which it is once wait() returned.
  // Without finish(), wait() and the destructor give it up. What fails on the other thread is
  // thrown by wait_until_filled() or wait(), and nothing is in place then.
  void begin(const std::string& name, uint64_t bytes_needed, Fill fill);
  void finish(const Fill& fill);
  bool begun(const std::string& name) const;  // and not finished
  // Joins the other thread, whatever it ends with: what it writes from may go then.
  void give_up() noexcept;
  void wait_until_filled();  // until begin()'s `fill` needs its sources no more
  bool busy() const { return writing_ && !writing_->done; }  // wait() would wait
  void wait();
  void remove(const std::string& name);  // nothing happens when it is absent
  void remove_run();                     // checkpoints, trained/, log.jsonl
  void remove_after(int64_t step);       // trained/ and the checkpoints behind that step
  void remove_leftovers();

 private:
  // The other thread, how far it is and may go, and what it ended with.
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

// The folder of the run that `path` lies in a checkpoint or trained/ of, or would be one of;
// nullopt: it lies in none.
std::optional<fs::path> run_around(const fs::path& path);

// checkpoint-N, and the N of those in a directory, ascending.
std::string checkpoint_name(int64_t step);
std::vector<int64_t> checkpoint_steps(const std::filesystem::path& directory);

// Which checkpoints go when `limit` may stay: the oldest, but never `newest` nor `best`.
std::vector<int64_t> checkpoints_to_remove(std::vector<int64_t> steps, int64_t limit,
                                           int64_t newest, std::optional<int64_t> best);

}  // namespace spanforge
