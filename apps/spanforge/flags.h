#pragma once
// The library names parameters (base/error.h), this program names their flags: what it prints of
// the library's texts goes through here.

#include <string>
#include <string_view>

#include "spanforge/base/error.h"

namespace spanforge::app {

std::string flag_of(std::string_view snake_name);  // "max_steps" -> "--max-steps"

// "give another `output`" -> "give another --output". Only names of options here are replaced, and
// none within double quotes, which hold a user's text.
std::string with_flags(std::string_view text);

// The same of the reason and the parameter, which stays as it is where a file gives it.
Error with_flags(const Error& error);

}  // namespace spanforge::app
