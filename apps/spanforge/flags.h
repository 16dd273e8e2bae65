#pragma once
// The library names parameters (base/error.h); this program names flags. All texts of the library
// that it prints pass through here.

#include <string>
#include <string_view>

#include "spanforge/base/error.h"

namespace spanforge::app {

std::string flag_of(std::string_view snake_name);  // "max_steps" -> "--max-steps"

// "give another `output`" -> "give another --output". Replaces only names of options here, and none
// within double quotes, because those hold a user's text.
std::string with_flags(std::string_view text);

// Replaces them in the reason, and the parameter by its flag unless a file gave it.
Error with_flags(const Error& error);

}  // namespace spanforge::app
