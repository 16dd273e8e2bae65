#pragma once
// What: a call from Python into the library. It gives up Python's lock, so that other threads go
// on. Forks: a child of a process in which no call was running computes with one thread
// (watch_forks()
//   in base/threads.h). If a call was running, by another thread or around a callback, what it had
//   locked stays locked in the child; there a call throws instead of waiting for ever.

#include <nanobind/nanobind.h>

namespace spanforge::python {

// Once, when the module is loaded.
void watch_calls();

class Call {
 public:
  Call();  // Error{kUsage, "fork"}
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  nanobind::gil_scoped_release released_;
};

}  // namespace spanforge::python
