#pragma once

#include <string>

#include "spanforge/base/error.h"

namespace spanforge {

// For a file of weights that is not what it should be. place: the file.
[[noreturn]] inline void throw_bad_model(const std::string& place, const std::string& what) {
  throw Error(ErrorCode::kBadModel, place, what);
}

}  // namespace spanforge
