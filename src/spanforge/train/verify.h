#pragma once
// What: whether the directories a training left are whole: every file of the manifest there, with
// its
//   size and SHA-256. Reads only; takes no lock, so it may run beside the training.
// Errors: Error{kIo} for what is no directory or cannot be read; Error{kBadModel, directory} where
//   there is nothing to verify.

#include <filesystem>
#include <string>
#include <vector>

namespace spanforge {

struct VerifiedDirectory {
  std::filesystem::path directory;
  std::string damage;  // the first difference from the manifest; empty: there is none
  bool whole() const { return damage.empty(); }
};

// `directory` itself where it has a manifest; else, of a training's output, its checkpoints by
// step, then trained/. A checkpoint without a manifest is damaged, or not spanforge's.
std::vector<VerifiedDirectory> verify_directories(const std::filesystem::path& directory);

}  // namespace spanforge
