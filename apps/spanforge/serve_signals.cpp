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
  ::pthread_kill(thread_.native_handle(), SIGHUP);  // wakes the thread
  thread_.join();
  if (reloading_.joinable()) reloading_.join();
}

void ServeSignals::finish() {
  std::thread reloading;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = reload_ = nullptr;
    once_more_ = false;
    reloading = std::move(reloading_);
  }
  if (reloading.joinable()) reloading.join();
}

// Reloads on a thread of its own, so that a signal to stop does not wait for a model.
void ServeSignals::ask_to_reload() {
  if (reloading_now_) {
    once_more_ = true;
    return;
  }
  if (reloading_.joinable()) reloading_.join();  // it has ended
  reloading_now_ = true;
  reloading_ = std::thread([this] { run_reloads(); });
}

void ServeSignals::run_reloads() {
  std::unique_lock<std::mutex> lock(mutex_);
  do {
    once_more_ = false;
    const std::function<void()> reload = reload_;
    lock.unlock();
    if (reload) reload();
    lock.lock();
  } while (once_more_);
  reloading_now_ = false;
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
    if (signal == SIGHUP && (stopping || stop_)) {
      if (!stopping) ask_to_reload();
      continue;
    }
    if (stopping || !stop_) ::_exit(128 + signal);
    stopping = true;
    stop_();
  }
}

}  // namespace spanforge::app
