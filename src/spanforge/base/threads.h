#pragma once
// What: the number of threads that a call computes with. Each calling thread has its own number; a
//   call that takes one sets it in a ThreadScope, which restores the old one. Results may differ in
//   rounding between two numbers, so the number is fixed before a call starts and never depends on
//   other threads.
// Teams: OpenMP gives every calling thread its own team of threads. Teams that compute at the same
//   time on too few cores wait for each other, so they take turns (Turn).
// Forks: a forked child has none of its parent's threads, and OpenMP would wait for them for ever.
//   A program that may be forked calls watch_forks(); its children then compute with one thread.

#include <cstdint>
#include <functional>

namespace spanforge {

// `threads` itself, or for 0 the number of cores that this process may use (by affinity, cgroup
// quota and OpenMP's limits). Error{kUsage, parameter "threads"} above OpenMP's limits: a region
// with fewer threads would do only a part of the work.
int resolve_thread_count(int threads);

// From now on each forked child computes with one thread, whatever number it asks for, and needs no
// other. Another thread must not be in a call of this library at the time of the fork, because what
// it has locked stays locked in the child.
void watch_forks();
// Whether this process was forked after watch_forks().
bool is_forked_child();

// Sets the number of threads for the parallel regions of the calling thread, and returns it.
// Argument and errors: those of resolve_thread_count().
int set_thread_count(int threads);
// The calling thread's number; a parallel region never gets fewer. A thread that never set one has
// OpenMP's default: OMP_NUM_THREADS, else one thread per core.
int thread_count();

// set_thread_count() for the life of the scope. With one thread, no team is started.
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
// until the teams that compute have together no more threads than there are cores; a larger team
// computes alone. With one thread, and inside another Turn of the same thread, it does nothing.
// If several threads take turns, each team ends with its turn, so that idle teams do not pile up.
// REQUIRES: thread_count() does not change during the turn, and the holder waits for no other Turn.
class Turn {
 public:
  Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn();

 private:
  int threads_;  // 0: this Turn does nothing
};

// Calls body(i) for i in [0, n) on all threads, in dynamic chunks of `grain`. Exceptions: rethrows
// that of the lowest index after all threads have ended. body must not start parallel regions.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t)>& body);

}  // namespace spanforge
