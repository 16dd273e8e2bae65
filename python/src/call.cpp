#include "call.h"

#include <pthread.h>

#include <atomic>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"

namespace spanforge::python {
namespace {

std::atomic<int> running = 0;  // calls of this process
std::atomic<bool> forked_amid_a_call = false;

void note_fork() {
  if (running.exchange(0) > 0) forked_amid_a_call = true;
}

}  // namespace

void watch_calls() {
  watch_forks();
  static const int registered = pthread_atfork(nullptr, nullptr, note_fork);
  if (registered != 0) throw Error(ErrorCode::kInternal, {.where = "fork"}, "cannot be watched");
}

Call::Call() {
  if (forked_amid_a_call) {
    throw Error(
        ErrorCode::kUsage, {.where = "fork"},
        "this process was forked while its parent was in a call of spanforge, so it cannot "
        "use it; fork before or after, or start processes with multiprocessing's \"spawn\"");
  }
  ++running;
}
Call::~Call() { --running; }

}  // namespace spanforge::python
