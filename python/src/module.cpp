// The Python module _spanforge: what the package spanforge is made of. docs/python.md describes the
// package.

#include <nanobind/nanobind.h>

#include "bindings.h"
#include "call.h"
#include "spanforge/version.h"

NB_MODULE(_spanforge, module) {
  using namespace spanforge::python;
  module.attr("__version__") = SPANFORGE_VERSION;
  nanobind::set_leak_warnings(false);  // a process may end with a pipeline in a global variable
  watch_calls();
  bind_errors(module);
  bind_dataset(module);
  bind_tokenizer(module);
  bind_pipeline(module);
  bind_evaluate(module);
  bind_train(module);
  bind_program(module);
#if !SPANFORGE_CURL
  bind_transport(module);
#endif
}
