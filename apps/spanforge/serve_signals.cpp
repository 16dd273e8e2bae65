#include "serve_signals.h"

#include <pthread.h>
#include <unistd.h>

#include <initializer_list>
#include <utility>

namespace spanforge::app {

ServeSignals::ServeSignals() {
  ::sigemptyset(&signals_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals_, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::thread([this] { run(); });
}

ServeSignals::~ServeSignals() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    finished_ = true;
  }
  ::pthread_kill(thread_.native_handle(), SIGHUP);  // wakes it
  thread_.join();
  if (reloading_.joinable()) reloading_.join();
}

void ServeSignals::serve(std::function<void()> stop, std::function<void()> reload) {
  const std::lock_guard<std::mutex> lock(mutex_);
  stop_ = std::move(stop);
  reload_ = std::move(reload);
}

void ServeSignals::run() {
  for (bool stopping = false;;) {
    int signal = 0;
    ::sigwait(&signals_, &signal);
    const std::unique_lock<std::mutex> lock(mutex_);
    if (finished_) return;
    if (signal == SIGHUP && stop_) {
      // On a thread of its own, so that a request to stop does not wait for a model.
      if (reloading_.joinable()) reloading_.join();
      if (!stopping) reloading_ = std::thread(reload_);
      continue;
    }
    if (stopping || !stop_) ::_exit(128 + signal);
    stopping = true;
    stop_();
  }
}

}  // namespace spanforge::app
