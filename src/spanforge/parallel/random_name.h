#pragma once
// Names that nobody else has.

#include <string>

namespace spanforge {

std::string random_name();  // 32 hexadecimal digits, from the system's random numbers

}  // namespace spanforge
