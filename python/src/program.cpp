// The program, inside Python: `python -m spanforge`.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "convert.h"
#include "progress.h"
#include "run_program.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

int run(const nb::list& words) {
  std::vector<std::string> texts;
  for (const nb::handle word : words) {
    char* bytes = nullptr;
    Py_ssize_t size = 0;
    if (PyBytes_AsStringAndSize(word.ptr(), &bytes, &size) != 0) throw nb::python_error();
    texts.emplace_back(bytes, static_cast<size_t>(size));
  }
  const nb::gil_scoped_release released;
  return app::run_program(std::move(texts), {});
}

}  // namespace

void bind_program(nb::module_& module) {
  module.def("run_program", run, nb::arg("words"));
  module.def("bar_text", app::bar_text, nb::arg("label"), nb::arg("unit"), nb::arg("done"),
             nb::arg("total"), nb::arg("seconds"), nb::arg("done_in_these_seconds"),
             nb::arg("columns"));
}

}  // namespace spanforge::python
