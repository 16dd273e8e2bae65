#include "spanforge/train/verify.h"

#include "spanforge/base/error.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/train/output_directory.h"

namespace spanforge {

std::vector<VerifiedDirectory> verify_directories(const fs::path& directory) {
  std::vector<fs::path> found;
  if (has_manifest(directory)) {
    found.push_back(directory);
  } else {
    for (const int64_t step : checkpoint_steps(directory)) {
      found.push_back(directory / checkpoint_name(step));
    }
    if (directory_exists(directory / "trained")) found.push_back(directory / "trained");
  }
  if (found.empty()) {
    throw Error(ErrorCode::kBadModel, directory.string(),
                "has neither a manifest nor checkpoints of a training");
  }
  std::vector<VerifiedDirectory> all;
  for (const fs::path& one : found) {
    try {
      all.push_back({one, find_manifest_difference(one).value_or("")});
    } catch (const NewerVersion& newer) {
      all.push_back({one, newer.what()});
    }
  }
  return all;
}

}  // namespace spanforge
