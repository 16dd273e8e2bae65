#pragma once
// What: How the processes of one start find each other in a directory that all of them see.
// How: Rank 0 makes a folder of a new random name and writes that name into a file. Each other rank
//   puts a file into the folder. When all are there, rank 0 puts its answer into it. Each process
//   holds a lock on its file, which ends with the process.
// Stale files: A name is never used twice, and rank 0 removes what earlier starts left. A rank that
//   found an earlier start's name sees the new one. A file without its lock is a dead process's.
//   So after a kill at any moment the next start meets in the same directory.
// Two starts in one directory: The second rank 0 waits until the first start has met. If two
//   processes come as the same rank, all of this start are refused.
// File systems without locks: every file counts as that of a living process.

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>

#include "spanforge/parallel/launch.h"

namespace spanforge {

struct MeetingOptions {
  std::filesystem::path directory;     // is created
  bool removes_directory = false;      // rank 0 removes it at the end, if it is empty
  std::string interface;               // of the network, for the check below
  std::chrono::milliseconds deadline;  // for all to come
  const std::atomic<bool>* stop = nullptr;
};

class Meeting {
 public:
  // Returns when all ranks are there.
  // Errors: Error{kPeerLost} naming the ranks that did not come; Error{kUsage, parameter
  // "interface"} if hosts differ and the interface is loopback, "rendezvous" if two processes are
  // one rank; Error{kInterrupted} if `stop` is set; Error{kIo}.
  Meeting(const Launch& launch, const MeetingOptions& options);
  // Rank 0 removes everything that this start put into the directory.
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  const std::filesystem::path& folder() const;  // of this start, for the engine's files
  int on_this_host() const;                     // ranks, this one included

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A directory for a start whose ranks are all on this host, private to this user. Error{kUsage,
// parameter "rendezvous"} if they are not, or if the launcher gives the start no name.
std::filesystem::path default_rendezvous(const Launch& launch);

}  // namespace spanforge
