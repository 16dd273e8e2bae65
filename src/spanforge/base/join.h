// Replaces fmt::join: <fmt/format.h> and <fmt/ranges.h> add two seconds to the compilation of each
// file that includes them, <fmt/core.h> almost nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spanforge {

std::string join(std::span<const std::string> parts, std::string_view separator);

}  // namespace spanforge
