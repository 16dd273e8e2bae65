#pragma once
// What: how many threads a call computes with. The number belongs to the calling thread: a call
// that takes a
//   number of threads sets it with a ThreadScope and puts the old one back. Results may differ in
//   rounding between two numbers, so a number is fixed before a call starts and never depends on
//   what other threads do.
// Teams: OpenMP gives every thread that calls with more than one thread a team of its own. Teams
// that
//   compute at the same time on too few cores wait for each other, so they take turns (Turn).

#include <cstdint>
#include <functional>

namespace spanforge {

// The number of threads meant by `threads`: itself, or for 0 the cores this process may use
// (affinity, cgroup quota and OpenMP's limits respected). Error{kUsage, parameter "threads"} for
// more than OpenMP's limits give: work cut for that many would be done in part.
int resolve_thread_count(int threads);

// Sets the number of threads of the parallel regions that the calling thread starts, and returns
// it. threads and errors: resolve_thread_count()'s.
int set_thread_count(int threads);
// The calling thread's; never more than a parallel region gets. A thread that never set one has
// OpenMP's default: OMP_NUM_THREADS, else a thread a core.
int thread_count();

// set_thread_count() for the life of the scope. At one thread nothing in it starts a team.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
  ~ThreadScope();

 private:
  int before_;
};

// The right to compute with thread_count() threads. The constructor waits, in order of arrival,
// until the teams of this process together have no more threads than there are cores; a larger team
// computes alone. At one thread, and inside another Turn of the same thread, it does nothing.
// Where several threads take turns, a team ends with its turn, so that no more teams exist than
// compute, and one.
// REQUIRES: thread_count() is not changed during the turn, and the holder waits for no other Turn.
class Turn {
 public:
  Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  int threads_;  // 0: nothing was taken
};

// Calls body(i) for i in [0, n), on all threads, dynamic chunks of `grain`. Exceptions: the one of
// the lowest index is rethrown after all threads ended. body must not start parallel regions.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t)>& body);

}  // namespace spanforge
