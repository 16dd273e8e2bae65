#pragma once
// A file that holds one JSON value.

#include <filesystem>

#include "spanforge/base/json.h"

namespace spanforge {

// times_size: what the tree may take, in sizes of the file (and 32 MB besides).
// Errors: Error{kIo, path} where it cannot be read; Error{code, path} with line and column, and
// what was expected, where it is not JSON or takes more memory.
Json parse_json_file(const std::filesystem::path& path, ErrorCode code, int times_size = 1);

}  // namespace spanforge
