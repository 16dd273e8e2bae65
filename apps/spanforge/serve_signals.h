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
  ~ServeSignals();
  // Both are called from threads of this object; one reload at a time. Several signals during a
  // reload ask for one more.
  void serve(std::function<void()> stop, std::function<void()> reload);
  // Neither is called any more: returns after a reload that is under way.
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
