#include "signals.h"

#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <initializer_list>

namespace spanforge::app {
namespace {

std::atomic<bool> stop_requested = false;
std::atomic<int> received = 0;
std::atomic<int64_t> first_at = 0;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free &&
              std::atomic<int64_t>::is_always_lock_free);

// `timeout` and others signal a process and its group: two signals, but one request.
constexpr int64_t kOneRequest = 100;  // milliseconds

int64_t milliseconds_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // may be called in a handler, like _exit
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

extern "C" void on_stop_signal(int signal) {
  const int64_t now = milliseconds_now();
  int64_t first = 0;
  if (first_at.compare_exchange_strong(first, now)) {
    received = signal;
    stop_requested = true;
  } else if (now - first > kOneRequest) {
    ::_exit(128 + signal);
  }
}

}  // namespace

const std::atomic<bool>& watch_stop_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(signal, &action, nullptr);
  }
  return stop_requested;
}

int stop_signal() { return received; }

}  // namespace spanforge::app
