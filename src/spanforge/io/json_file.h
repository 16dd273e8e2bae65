#pragma once
// Reads a file that holds one JSON value.

#include <filesystem>

#include "spanforge/base/json.h"

namespace spanforge {

// times_size: the tree may take this many times the file's size, and 32 MB.
// Errors: Error{kIo, path} if the file cannot be read. Error{code, path}, with line and column, if
// it is not JSON or takes more memory.
Json parse_json_file(const std::filesystem::path& path, ErrorCode code, int times_size = 1);

}  // namespace spanforge
