#pragma once
// A directory's manifest: {"version": 1, "files": {name: {"size", "sha256"}}} in
// spanforge_manifest.json, written last, so that a directory that has one is whole, and one flipped
// bit in it is found.

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

// What a newer spanforge wrote: not damaged, and so not to be passed over or replaced.
class NewerVersion : public Error {
 public:
  NewerVersion(const fs::path& file, uint64_t version, int known);
};

// Writes the manifest of every regular file under the writer's directory (recursively, relative
// names with '/'). Hashes of files in `written` are taken from there if their sizes still hold; the
// others are read, one after the other on this thread.
void write_manifest(DirectoryWriter& writer, const std::vector<WrittenFile>& written = {});

// nullopt when every file the manifest lists is there with its size and hash; otherwise one line
// that names the first difference ("model.safetensors: SHA-256 differs"). A directory without a
// manifest differs. Files the manifest does not list are ignored. Bad contents never throw, but for
// NewerVersion; Error{kIo, file} where the system cannot read.
std::optional<std::string> find_manifest_difference(const fs::path& directory);
// What was changed after spanforge wrote the directory: "DIR: changed since spanforge saved it:
// config.json, vocab.txt (missing)". nullopt: nothing, or there is no manifest. Weights
// (.safetensors, .bin, .pt) are compared by size, unless with_weights; the other files by size and
// hash. A manifest that cannot be used is named in the same way. Errors: Error{kIo, file}.
std::optional<std::string> describe_changes(const fs::path& directory, bool with_weights = false);
bool has_manifest(const fs::path& directory);

}  // namespace spanforge
