#include "data_output.h"

#include "spanforge/base/error.h"
#include "spanforge/io/file.h"

namespace spanforge::app {

// A relative name of a file that does not exist stays relative unless it is made absolute first.
bool same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;  // one of the two does not exist, or the working directory is gone
  const auto named = [](const fs::path& path) { return path == "-" ? "/dev/stdin" : path; };
  const auto canonical = [&](const fs::path& path) {
    return fs::weakly_canonical(fs::absolute(named(path), ignored), ignored);
  };
  return fs::equivalent(named(a), named(b), ignored) || canonical(a) == canonical(b);
}

void check_output(const fs::path& output, const fs::path& data, bool overwrite) {
  require_replaceable(output);
  if (same_file(output, data)) {
    throw Error(ErrorCode::kUsage, output.string(), "is the data itself; give another name");
  }
  if (!overwrite && path_exists(output)) {
    throw Error(ErrorCode::kUsage, output.string(), "is there already; --overwrite replaces it");
  }
}

}  // namespace spanforge::app
