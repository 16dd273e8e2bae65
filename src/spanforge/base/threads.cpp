#include "spanforge/base/threads.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>
#include <thread>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

int affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return omp_get_num_procs();
  return std::max(1, CPU_COUNT(&set));
}

// The cores that a container's quota allows, rounded up; a large number if there is no quota.
int quota_cores() {
  constexpr int kNoLimit = std::numeric_limits<int>::max();
  std::string quota;
  double period = 0;
  double allowed = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period) {
    if (quota == "max") return kNoLimit;
    allowed = std::atof(quota.c_str());
  } else {
    std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
    std::ifstream v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (!(v1_quota >> allowed) || !(v1_period >> period)) return kNoLimit;
  }
  if (allowed <= 0 || period <= 0) return kNoLimit;
  return std::max(1, static_cast<int>(std::ceil(allowed / period)));
}

// A region never gets more threads than OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS allow.
int openmp_limit() { return omp_get_max_active_levels() < 1 ? 1 : omp_get_thread_limit(); }

// Gives cores to turns, in order of arrival.
class Cores {
 public:
  void take(int threads) {
    std::unique_lock lock(mutex_);
    const uint64_t ticket = next_ticket_++;
    changed_.wait(
        lock, [&] { return ticket == first_waiting_ && (busy_ == 0 || busy_ + threads <= all_); });
    ++first_waiting_;
    busy_ += threads;
    const std::thread::id me = std::this_thread::get_id();
    is_shared_ = is_shared_ || (last_ != std::thread::id() && last_ != me);
    last_ = me;
    changed_.notify_all();  // the next team may fit next to this one
  }
  void give_back(int threads) {
    if (is_shared()) omp_pause_resource_all(omp_pause_soft);  // ends the calling thread's team
    const std::lock_guard lock(mutex_);
    busy_ -= threads;
    changed_.notify_all();
  }

 private:
  bool is_shared() {
    const std::lock_guard lock(mutex_);
    return is_shared_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const int all_ = std::min(affinity_cores(), quota_cores());
  int busy_ = 0;
  uint64_t next_ticket_ = 0, first_waiting_ = 0;
  std::thread::id last_;    // the thread that had the last turn
  bool is_shared_ = false;  // more than one thread had a turn
};

Cores& cores() {
  static Cores all;
  return all;
}

thread_local bool has_turn = false;

std::atomic<bool> forked = false;

}  // namespace

void watch_forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forked = true; });
  if (registered != 0) throw Error(ErrorCode::kInternal, {.where = "fork"}, "cannot be watched");
}

bool is_forked_child() { return forked; }

int resolve_thread_count(int threads) {
  if (is_forked_child()) return 1;
  const int limit = openmp_limit();
  if (threads <= 0) threads = std::min({affinity_cores(), quota_cores(), limit});
  if (threads > limit) {
    throw Error(
        ErrorCode::kUsage, {.parameter = "threads"},
        fmt::format("is {}, but OMP_THREAD_LIMIT or OMP_MAX_ACTIVE_LEVELS allows {}; ask for "
                    "that many or unset them",
                    threads, limit));
  }
  return threads;
}

int set_thread_count(int threads) {
  threads = resolve_thread_count(threads);
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
  return threads;
}

int thread_count() { return std::min(omp_get_max_threads(), openmp_limit()); }

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  set_thread_count(threads);
}
ThreadScope::~ThreadScope() { omp_set_num_threads(before_); }

Turn::Turn() : threads_(has_turn || omp_in_parallel() ? 0 : thread_count()) {
  if (threads_ <= 1) threads_ = 0;
  if (threads_ == 0) return;
  cores().take(threads_);
  has_turn = true;
}
Turn::~Turn() {
  if (threads_ == 0) return;
  has_turn = false;
  cores().give_back(threads_);
}

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t)>& body) {
  if (thread_count() == 1) {  // a parallel region of one thread would end the team
    for (int64_t i = 0; i < n; ++i) body(i);
    return;
  }
  std::exception_ptr failure;
  int64_t failed_at = n;  // the lowest index that threw; later ones are skipped
  std::mutex mutex;
  const auto last_wanted = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return failed_at;
  };
  const int64_t chunk = std::max<int64_t>(1, grain);
#pragma omp parallel for schedule(dynamic, 1)
  for (int64_t begin = 0; begin < n; begin += chunk) {
    if (begin > last_wanted()) continue;
    for (int64_t i = begin; i < std::min(n, begin + chunk); ++i) {
      try {
        body(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (i < failed_at) {
          failed_at = i;
          failure = std::current_exception();
        }
        break;
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace spanforge
