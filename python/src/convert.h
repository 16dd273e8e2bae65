#pragma once
// Converts between Python's values and the library's. All of these need Python's lock.

#include <map>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>

#include "options.h"
#include "spanforge/base/json.h"
#include "spanforge/train/log_line.h"

namespace spanforge::python {

// UTF-8 of a str. A lone surrogate is Python's UnicodeEncodeError, another type a TypeError.
std::string text_of(nanobind::handle value);

nanobind::object python_of(const Json& value);
nanobind::dict python_of(const LogLine& line);

// Options as _values.py makes them: the texts of each one's values.
using OptionTexts = std::map<std::string, std::vector<std::string>>;
OptionTexts option_texts(const nanobind::dict& options);
// Error{kUsage} whose parameter is the option.
void apply(const OptionTexts& options, app::OptionTable& table);

// The rows as dicts: name, aliases, help, range, default, kind, foreign.
nanobind::list rows_of(const app::OptionTable& table);

}  // namespace spanforge::python
