// The Python module _spanforge: what the package spanforge is made of. docs/python.md describes the
// package.

#include <nanobind/nanobind.h>

#include "bindings.h"
#include "spanforge/version.h"

NB_MODULE(_spanforge, module) {
  module.attr("__version__") = SPANFORGE_VERSION;
  spanforge::python::bind_errors(module);
}
