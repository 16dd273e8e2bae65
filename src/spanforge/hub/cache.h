#pragma once
// One repository's folder in the hub cache: finds files and puts them there. The layout is that of
// huggingface_hub (see hub.h). Internal to hub/.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/io/descriptor.h"

namespace spanforge {

class HubCache {
 public:
  HubCache(const std::filesystem::path& cache, const std::string& repository);

  // The commit of a revision when the hub was last asked; the revision itself if it is a commit.
  std::optional<std::string> find_commit(const std::string& revision) const;
  // The commit of the only snapshot, for a cache that was copied without its refs.
  std::optional<std::string> find_only_snapshot() const;
  // Why the folder exists but cannot be read; "": neither.
  std::string find_obstacle() const;
  void remember_commit(const std::string& revision, const std::string& commit) const;

  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path blob(const std::string& etag) const;
  bool has_file(const std::string& commit, const std::string& file) const;
  // The target of the file's link; the file itself if it is not a link.
  std::filesystem::path blob_of(const std::string& commit, const std::string& file) const;
  void mark_absent(const std::string& commit, const std::string& file) const;
  // Makes snapshots/COMMIT/FILE a relative link to blobs/ETAG. FILE is a plain name.
  void link(const std::string& commit, const std::string& file, const std::string& etag) const;

  // For messages: the files that a model needs and this snapshot lacks; "" if it can be loaded.
  std::string find_missing(const std::string& commit) const;
  // The same for files that changed after they were fetched.
  std::string find_unsound(const std::string& commit) const;

  // Locks a blob while it is fetched, also against other processes. Destroying the result unlocks.
  [[nodiscard]] Descriptor lock(const std::string& etag) const;

 private:
  std::string find_missing_of_adapter(const std::string& commit) const;
  std::string describe_missing(const std::string& commit, const std::string& file) const;
  std::filesystem::path root_, locks_;
};

// The file's hash in hex, of the same kind as the entity tag: SHA-256 for large files, git's SHA-1
// for small ones. nullopt: the tag is not a hash.
std::optional<std::string> hash_like(const std::string& etag, const std::filesystem::path& file);

// Whether the blob's hash is its name or, if its name is not a hash, its size is `size`. nullopt:
// the size is not known either.
std::optional<bool> is_sound(const std::filesystem::path& blob, std::optional<uint64_t> size = {});

bool is_commit_hash(const std::string& text);  // 40 hexadecimal digits

// The shards that an index names. Throws Error{kBadModel} unless each is a plain file name.
std::vector<std::string> read_shard_names(const std::filesystem::path& index);

}  // namespace spanforge
