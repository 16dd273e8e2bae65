#pragma once
// A directory's manifest: {"version": 1, "files": {name: {"size", "sha256"}}} in
// spanforge_manifest.json. It is written last, so a directory with a manifest is whole, and it
// detects a single flipped bit.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"

namespace spanforge {

inline constexpr const char* kManifestName = "spanforge_manifest.json";

// A newer spanforge wrote the manifest. The directory is not damaged: do not skip or replace it.
class NewerVersion : public Error {
 public:
  NewerVersion(const fs::path& file, uint64_t version, int known);
};

// Writes the manifest of all regular files under the writer's directory (recursively, relative
// names with '/'). Uses the hashes in `written` if the sizes still match; reads the other files on
// this thread.
void write_manifest(DirectoryWriter& writer, const std::vector<WrittenFile>& written = {});

// nullopt: every file in the manifest exists with its size and hash. Otherwise one line with the
// first difference ("model.safetensors: SHA-256 differs"); a missing or malformed manifest is a
// difference. Ignores files that are not in the manifest. Errors: NewerVersion, Error{kIo, file}.
std::optional<std::string> find_manifest_difference(const fs::path& directory);
// One line with the files that changed after spanforge wrote the directory: "DIR: changed since
// spanforge saved it: config.json, vocab.txt (missing)". nullopt: none, or there is no manifest.
// Compares size and hash; for weights (.safetensors, .bin, .pt) only the size, unless with_weights.
// Also reports a malformed manifest. Errors: Error{kIo, file}.
std::optional<std::string> describe_changes(const fs::path& directory, bool with_weights = false);
bool has_manifest(const fs::path& directory);

}  // namespace spanforge
