#pragma once
// The signals of `serve`. Until serve() they end the process, as they do elsewhere. From then on
// the first SIGTERM or SIGINT asks to stop, a second one ends the process at once, and SIGHUP asks
// for the models to be loaded again.

#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace spanforge::app {

class ServeSignals {
 public:
  // REQUIRES: no other thread has been started; those to come have the signals blocked.
  ServeSignals();
  ~ServeSignals();  // waits for a reload that is under way
  // Both are called from threads of this object; one reload at a time.
  void serve(std::function<void()> stop, std::function<void()> reload);

 private:
  void run();

  sigset_t signals_{};
  std::mutex mutex_;
  std::function<void()> stop_, reload_;
  bool finished_ = false;
  std::thread thread_, reloading_;
};

}  // namespace spanforge::app
