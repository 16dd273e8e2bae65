#pragma once
// The number an answer_start in a file stands for.

#include <cstdint>

#include "spanforge/base/json.h"

namespace spanforge {

// A whole number of at most 64 bits with sign, as it should be.
bool is_start(const Json& value);

// The number; where it is none, the one it spells ("12", 12.0), else -1.
int64_t start_value(const Json& value);

}  // namespace spanforge
