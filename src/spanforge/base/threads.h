#pragma once
// One thread pool (OpenMP's), sized once and explicitly.

#include <cstdint>
#include <functional>

namespace spanforge {

// Sets the number of threads of every parallel region of this process. 0 means: cores this process
// may use (affinity, cgroup quota and OpenMP's limits respected). Returns the number set.
// Error{kUsage,
// parameter threads} for more than OpenMP's limits give: work cut for that many would be done in
// part.
int set_thread_count(int threads);
int thread_count();  // never more than a parallel region gets

// Calls body(i) for i in [0, n), on all threads, dynamic chunks of `grain`. Exceptions: the one of
// the lowest index is rethrown after all threads ended. body must not start parallel regions.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t)>& body);

}  // namespace spanforge
