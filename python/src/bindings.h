#pragma once
// Each function adds its part to the module.

#include <nanobind/nanobind.h>

namespace spanforge::python {

void bind_errors(nanobind::module_& module);

}  // namespace spanforge::python
