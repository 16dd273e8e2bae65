#include "watcher.h"

namespace nb = nanobind;

namespace spanforge::python {

void Watcher::run(const std::function<void()>& body) {
  const nb::gil_scoped_acquire lock;
  try {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  } catch (nb::python_error& error) {
    keep(std::move(error));
  }
  try {
    body();
  } catch (nb::python_error& error) {
    keep(std::move(error));
  }
  if (failure_ && !interrupted_) throw CallbackFailed{};
}

void Watcher::keep(nb::python_error error) {
  interrupted_ = error.matches(PyExc_KeyboardInterrupt);
  if (interrupted_) stop_ = true;
  failure_.emplace(std::move(error));
}

void Watcher::raise_kept() {
  if (!failure_) return;
  nb::python_error error = std::move(*failure_);
  failure_.reset();
  throw error;
}

}  // namespace spanforge::python
