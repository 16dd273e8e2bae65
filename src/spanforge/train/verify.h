#pragma once
// What: Checks whether the directories of a training are whole: every file of the manifest must be
//   there with its size and SHA-256. It only reads and takes no lock, so it may run during the
//   training.
// Errors: Error{kIo} if something is not a directory or cannot be read; Error{kBadModel, directory}
//   if there is nothing to verify.

#include <filesystem>
#include <string>
#include <vector>

namespace spanforge {

struct VerifiedDirectory {
  std::filesystem::path directory;
  std::string damage;  // the first difference from the manifest; empty if there is none
  bool whole() const { return damage.empty(); }
};

// Checks `directory` itself if it has a manifest; otherwise, as a training's output, its
// checkpoints by step, then trained/. A checkpoint without a manifest is damaged, or not
// spanforge's.
std::vector<VerifiedDirectory> verify_directories(const std::filesystem::path& directory);

}  // namespace spanforge
