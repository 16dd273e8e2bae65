#pragma once
// What: handles the signals of `serve`. Before serve() they end the process. After it, the first
//   SIGTERM or SIGINT stops the server, a second one ends the process at once, and SIGHUP loads the
//   models again.

#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace spanforge::app {

class ServeSignals {
 public:
  // REQUIRES: no other thread runs. Later threads have these signals blocked.
  ServeSignals();
  ~ServeSignals();
  // Threads of this object call both. One reload runs at a time; all signals during it cause one
  // more.
  void serve(std::function<void()> stop, std::function<void()> reload);
  // Waits for a running reload. From now on neither function is called.
  void finish();

 private:
  void run();
  void ask_to_reload();
  void run_reloads();

  sigset_t signals_{};
  std::mutex mutex_;
  std::function<void()> stop_, reload_;
  bool finished_ = false, reloading_now_ = false, once_more_ = false;
  std::thread thread_, reloading_;
};

}  // namespace spanforge::app
