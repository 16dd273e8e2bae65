// How commands read data.
#pragma once

#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge::app {

// Reads a data file whatever is wrong with single rows, and says in a line each how it was
// understood and what is at fault in it. Who needs sound rows asks for them (data/soundness.h).
Dataset read_data(const std::string& file);

}  // namespace spanforge::app
