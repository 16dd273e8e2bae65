#pragma once
// What: calls from the library back into Python. Ctrl-C and exceptions must not pass through the
//   library as Python's: they are kept here, and the binding raises them when the library is done.
// Threads: the thread that runs the training or the evaluation.

#include <atomic>
#include <functional>
#include <optional>

#include <nanobind/nanobind.h>

namespace spanforge::python {

// Ends the library's call after a callback failed.
struct CallbackFailed {};

class Watcher {
 public:
  // Takes Python's lock, runs Python's signal handlers, then `body`. A KeyboardInterrupt asks to
  // stop; any other exception is kept, and CallbackFailed is thrown.
  void run(const std::function<void()>& body);
  // Raises what was kept, if anything. With Python's lock.
  void raise_kept();
  const std::atomic<bool>& stop() const { return stop_; }

 private:
  void keep(nanobind::python_error error);

  std::atomic<bool> stop_ = false;
  std::optional<nanobind::python_error> failure_;
  bool interrupted_ = false;
};

}  // namespace spanforge::python
