#pragma once
// The files that the data commands write: nothing that is there is written over unless asked, and
// the data never.

#include <filesystem>

namespace spanforge::app {

// Whether two names mean one file, which need not be there yet.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

// Errors: Error{kIo, output} where no file can be put (require_replaceable); Error{kUsage, output}
// where it is the data itself, or is there and is not to be replaced.
void check_output(const std::filesystem::path& output, const std::filesystem::path& data,
                  bool overwrite);

}  // namespace spanforge::app
