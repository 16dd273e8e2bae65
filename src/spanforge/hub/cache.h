#pragma once
// One repository's folder in the hub cache: where things lie and how they get there. The layout is
// huggingface_hub's (see hub.h). Internal to hub/.

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

  // The commit a revision stood for when it was last asked for; the revision itself when it is one.
  std::optional<std::string> find_commit(const std::string& revision) const;
  // The commit of the only snapshot there is: of a cache that was copied without its refs.
  std::optional<std::string> find_only_snapshot() const;
  // Why the folder cannot be read, where it is there; "" else.
  std::string find_obstacle() const;
  void remember_commit(const std::string& revision, const std::string& commit) const;

  std::filesystem::path snapshot(const std::string& commit) const;
  std::filesystem::path blob(const std::string& etag) const;
  bool has_file(const std::string& commit, const std::string& file) const;
  // What the file is a link to; itself where it is none.
  std::filesystem::path blob_of(const std::string& commit, const std::string& file) const;
  void mark_absent(const std::string& commit, const std::string& file) const;
  // Makes snapshots/COMMIT/FILE a relative link to blobs/ETAG. FILE is a plain name.
  void link(const std::string& commit, const std::string& file, const std::string& etag) const;

  // What a model needs and this snapshot lacks, for messages; empty when it can be loaded.
  std::string find_missing(const std::string& commit) const;
  // The same of files whose bytes are not those that were fetched.
  std::string find_unsound(const std::string& commit) const;

  // Held while a blob is fetched, also against other processes, until it is destroyed.
  [[nodiscard]] Descriptor lock(const std::string& etag) const;

 private:
  std::string find_missing_of_adapter(const std::string& commit) const;
  std::string describe_missing(const std::string& commit, const std::string& file) const;
  std::filesystem::path root_, locks_;
};

// The file's hash, in hex, of the kind that the entity tag is: SHA-256 of large files, git's SHA-1
// of small ones; nullopt where the tag is no hash.
std::optional<std::string> hash_like(const std::string& etag, const std::filesystem::path& file);

// Whether a blob has the hash that its name is, or the size where its name is no hash; nullopt
// where that is not known either.
std::optional<bool> is_sound(const std::filesystem::path& blob, std::optional<uint64_t> size = {});

bool is_commit_hash(const std::string& text);  // 40 hexadecimal digits

// File names that an index of shards names. Error{kBadModel} unless each is a plain name.
std::vector<std::string> read_shard_names(const std::filesystem::path& index);

}  // namespace spanforge
