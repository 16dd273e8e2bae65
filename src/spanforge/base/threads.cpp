#include "spanforge/base/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>

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

// Cores a container's quota allows, rounded up; a large number where there is none.
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

// OMP_THREAD_LIMIT and OMP_MAX_ACTIVE_LEVELS: a region gets no more, whatever number was set.
int openmp_limit() { return omp_get_max_active_levels() < 1 ? 1 : omp_get_thread_limit(); }

}  // namespace

int set_thread_count(int threads) {
  const int limit = openmp_limit();
  if (threads <= 0) threads = std::min({affinity_cores(), quota_cores(), limit});
  if (threads > limit) {
    throw Error(
        ErrorCode::kUsage, {.parameter = "threads"},
        fmt::format("is {}, but OMP_THREAD_LIMIT or OMP_MAX_ACTIVE_LEVELS allows {}; ask for "
                    "that many or unset them",
                    threads, limit));
  }
  omp_set_dynamic(0);
  omp_set_num_threads(threads);
  return threads;
}

int thread_count() { return std::min(omp_get_max_threads(), openmp_limit()); }

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t)>& body) {
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
