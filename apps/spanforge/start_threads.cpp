#include "start_threads.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <mutex>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"

namespace spanforge::app {
namespace {

struct Thread {
  pthread_t handle{};
  pid_t id = 0;
  std::mutex* gate = nullptr;
};

// Not std::thread, because it frees memory in the new thread, which reserves address space for a
// heap.
void* pass_the_gate(void* argument) {
  auto* self = static_cast<Thread*>(argument);
  self->id = ::gettid();
  const std::lock_guard<std::mutex> wait(*self->gate);
  return nullptr;
}

// The errno with which the system refuses `count` threads at the same time; 0: it permits them.
// Their stacks are as large as OpenMP's, unless OMP_STACKSIZE differs.
int refusal(size_t count) {
  std::mutex gate;
  std::vector<Thread> threads(count);
  size_t started = 0;
  int error = 0;
  {
    const std::lock_guard<std::mutex> closed(gate);
    for (Thread& thread : threads) {
      thread.gate = &gate;
      error = ::pthread_create(&thread.handle, nullptr, pass_the_gate, &thread);
      if (error != 0) break;
      ++started;
    }
  }
  threads.resize(started);
  for (const Thread& thread : threads) ::pthread_join(thread.handle, nullptr);
  // The system counts a thread for a moment after join() returns.
  for (const Thread& thread : threads) {
    while (::syscall(SYS_tgkill, ::getpid(), thread.id, 0) == 0) ::sched_yield();
  }
  return error;
}

}  // namespace

void start_threads(int threads, int pools) {
  const int count = set_thread_count(threads);
  if (count == 1) return;
  if (const int error = refusal(static_cast<size_t>(count) * static_cast<size_t>(pools) - 1)) {
    throw Error(ErrorCode::kIo, {.parameter = "threads"},
                fmt::format("cannot start {} threads ({}); give --threads 1 or raise the limit",
                            count, std::strerror(error)));
  }
  parallel_for(count, 1, [](int64_t) {});  // now, before other things use what the threads need
}

}  // namespace spanforge::app
