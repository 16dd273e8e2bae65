// spanforge::Error becomes the Python exception that _errors.py declares.

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "spanforge/base/error.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

// Makes the exception with all the error's fields the current one.
void set_python_error(const Error& error) {
  const nb::object make = nb::module_::import_("spanforge._errors").attr("make");
  const nb::object made = make(std::string(error_code_name(error.code())), error.file(),
                               error.where(), error.parameter(), error.reason(), error.what());
  PyErr_SetObject(made.type().ptr(), made.ptr());
}

}  // namespace

void bind_errors(nb::module_&) {
  nb::register_exception_translator([](const std::exception_ptr& thrown, void*) {
    try {
      std::rethrow_exception(thrown);
    } catch (const Error& error) {
      set_python_error(error);
    }
  });
}

}  // namespace spanforge::python
