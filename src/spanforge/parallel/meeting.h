#pragma once
// What: How the processes of one start find each other on a board that all of them see.
// How: Rank 0 takes the board's lock, makes a folder of a new random name and puts that name on the
//   board. Each other rank holds an entry in the folder. When all are there, rank 0 puts its answer
//   into it. An entry ends with its process.
// Stale entries: A name is never used twice, and rank 0 removes what earlier starts left. A rank
//   that found an earlier start's name sees the new one. So after a kill at any moment the next
//   start meets on the same board.
// Two starts on one board: The second rank 0 waits until the first start has met. If two processes
//   come as the same rank, all of this start are refused. A killed process's entry may count for
//   Board::lag(), so rank 0 watches two of one rank for longer than that.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "spanforge/parallel/board.h"
#include "spanforge/parallel/launch.h"

namespace spanforge {

struct MeetingOptions {
  std::string interface;               // of the network, for the check below
  std::chrono::milliseconds deadline;  // for all to come and to connect
  const std::atomic<bool>* stop = nullptr;
};

class Meeting {
 public:
  // Returns when all ranks are there.
  // Errors: Error{kPeerLost} naming the ranks that did not come; Error{kUsage, parameter
  // "interface"} if hosts differ and the interface is loopback, "rendezvous" if two processes are
  // one rank; Error{kInterrupted} if `stop` is set; Error{kIo}.
  Meeting(const Launch& launch, std::unique_ptr<Board> board, const MeetingOptions& options);
  // Rank 0 removes everything that this start put on the board.
  ~Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  int on_this_host() const;                // ranks, this one included
  std::chrono::milliseconds left() const;  // of the deadline; at least 1

  // What the engine's ranks tell each other in order to connect. A key is put once.
  void put(const std::string& key, std::string_view text);
  // Waits until a rank has put it, at most for `longest` and the rest of the deadline. Errors:
  // Error{kPeerLost} if a rank is gone meanwhile or time is up; Error{kInterrupted}; Error{kIo}.
  std::string wait_for(const std::string& key, std::chrono::milliseconds longest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
