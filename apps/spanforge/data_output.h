#pragma once
// The files that data commands write. They replace an existing file only if the user asks for it,
// and never the data.

#include <filesystem>

namespace spanforge::app {

// True if both names mean the same file, which need not exist yet.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

// Errors: Error{kIo, output} if no file can be created there (require_replaceable);
// Error{kUsage, output} if it is the data itself, or exists and may not be replaced.
void check_output(const std::filesystem::path& output, const std::filesystem::path& data,
                  bool overwrite);

}  // namespace spanforge::app
