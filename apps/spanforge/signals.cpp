#include "signals.h"

#include <unistd.h>

#include <csignal>
#include <initializer_list>

namespace spanforge::app {
namespace {

std::atomic<bool> stop_requested = false;
std::atomic<int> received = 0;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

extern "C" void on_stop_signal(int signal) {
  if (stop_requested.exchange(true)) ::_exit(128 + signal);
  received = signal;
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
