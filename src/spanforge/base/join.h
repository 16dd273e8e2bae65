// In place of fmt::join: <fmt/format.h> and <fmt/ranges.h> cost two seconds in each file that
// includes them, <fmt/core.h> next to nothing.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace spanforge {

std::string join(std::span<const std::string> parts, std::string_view separator);

}  // namespace spanforge
