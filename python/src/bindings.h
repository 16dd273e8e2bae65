#pragma once
// Each function adds its part to the module. The package's Python files (python/spanforge/) make
// the interface of it: these take plain values, which those files have checked.

#include <nanobind/nanobind.h>

namespace spanforge::python {

void bind_errors(nanobind::module_& module);
void bind_dataset(nanobind::module_& module);
void bind_tokenizer(nanobind::module_& module);
void bind_pipeline(nanobind::module_& module);
void bind_evaluate(nanobind::module_& module);
void bind_train(nanobind::module_& module);
void bind_program(nanobind::module_& module);
void bind_transport(nanobind::module_& module);  // in a build without libcurl

}  // namespace spanforge::python
