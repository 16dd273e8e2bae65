// Reports to ThreadSanitizer what orders OpenMP's threads. Linked only into its builds.
//
// GCC's libgomp waits by futex calls that ThreadSanitizer does not see, so every parallel region
// would look like a race. These functions are called before libgomp's own and add what OpenMP
// promises: code before a region happens before its body, the body before the code after it, and
// the same at barriers and critical sections. They order nothing else: two threads of one region
// that touch the same memory are still reported (tests/sanitizers proves both). An entry point that
// is missing here is reported as a race, so a gap cannot hide one.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

extern "C" {
void __tsan_acquire(void* address);
void __tsan_release(void* address);
int spanforge_openmp_edges = 1;  // a linker option looks for it
}

#define UNSEEN __attribute__((no_sanitize("thread")))

namespace {

template <class Function>
UNSEEN Function real(const char* name) {
  void* const found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "openmp_edges: no %s in libgomp\n", name);
    std::abort();
  }
  return reinterpret_cast<Function>(found);
}

using Body = void (*)(void*);

struct Region {
  Body body;
  void* data;
  char fork = 0, join = 0;  // addresses that the edges go by
  char barriers[2] = {};  // in turn: a fast thread may reach the next while a slow one leaves this
};

thread_local Region* region = nullptr;  // the innermost of this thread
thread_local unsigned barriers_passed = 0;

UNSEEN void run_body(void* argument) {
  Region* const mine = static_cast<Region*>(argument);
  Region* const outer = region;
  const unsigned passed = barriers_passed;
  region = mine;
  barriers_passed = 0;
  __tsan_acquire(&mine->fork);
  mine->body(mine->data);
  __tsan_release(&mine->join);
  region = outer;
  barriers_passed = passed;
}

template <class Run>
UNSEEN void run_region(Body body, void* data, const Run& run) {
  Region mine{body, data};
  __tsan_release(&mine.fork);
  run(&mine);
  __tsan_acquire(&mine.join);
}

}  // namespace

extern "C" {

UNSEEN void GOMP_parallel(Body body, void* data, unsigned threads, unsigned flags) {
  static const auto next = real<void (*)(Body, void*, unsigned, unsigned)>("GOMP_parallel");
  run_region(body, data, [&](Region* mine) UNSEEN { next(run_body, mine, threads, flags); });
}

UNSEEN void GOMP_parallel_loop_nonmonotonic_dynamic(Body body, void* data, unsigned threads,
                                                    long start, long end, long step, long chunk,
                                                    unsigned flags) {
  static const auto next = real<void (*)(Body, void*, unsigned, long, long, long, long, unsigned)>(
      "GOMP_parallel_loop_nonmonotonic_dynamic");
  run_region(body, data, [&](Region* mine) UNSEEN {
    next(run_body, mine, threads, start, end, step, chunk, flags);
  });
}

UNSEEN void GOMP_barrier() {
  static const auto next = real<void (*)()>("GOMP_barrier");
  char* const tag = region == nullptr ? nullptr : &region->barriers[barriers_passed++ % 2];
  if (tag != nullptr) __tsan_release(tag);
  next();
  if (tag != nullptr) __tsan_acquire(tag);
}

UNSEEN void GOMP_critical_name_start(void** name) {
  static const auto next = real<void (*)(void**)>("GOMP_critical_name_start");
  next(name);
  __tsan_acquire(name);
}

UNSEEN void GOMP_critical_name_end(void** name) {
  static const auto next = real<void (*)(void**)>("GOMP_critical_name_end");
  __tsan_release(name);
  next(name);
}

}  // extern "C"
