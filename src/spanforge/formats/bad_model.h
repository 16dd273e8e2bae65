#pragma once

#include <string>

#include "spanforge/base/error.h"

namespace spanforge {

// Throws the error for a malformed file of weights. place: the file.
[[noreturn]] inline void throw_bad_model(const std::string& place, const std::string& what) {
  throw Error(ErrorCode::kBadModel, place, what);
}

}  // namespace spanforge
