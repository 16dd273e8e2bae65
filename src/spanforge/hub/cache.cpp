#include "spanforge/hub/cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"
#include "spanforge/io/file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/io/weight_index.h"

namespace spanforge {
namespace {

std::string folder_name(std::string repository) {
  for (size_t at = 0; (at = repository.find('/', at)) != std::string::npos;) {
    repository.replace(at, 1, "--");
  }
  return "models--" + repository;
}

std::string strip(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_hex(const std::string& text, size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// SHA-1 of git's blob object: "blob SIZE\0" and the bytes. Such files are small.
std::string git_blob_sha1(const fs::path& path) {
  const std::string bytes = read_file(path);
  return sha1_hex(fmt::format("blob {}", bytes.size()) + '\0' + bytes);
}

std::string file_sha256(const fs::path& path) {
  const MappedFile file(path);
  return while_whole(file, [&] { return sha256_hex(file.bytes()); });
}

}  // namespace

std::optional<std::string> hash_like(const std::string& etag, const fs::path& file) {
  if (is_hex(etag, 64)) return file_sha256(file);
  if (is_hex(etag, 40)) return git_blob_sha1(file);
  return std::nullopt;
}

std::optional<bool> is_sound(const fs::path& blob, std::optional<uint64_t> size) {
  const std::string name = blob.filename();
  if (const auto hash = hash_like(name, blob)) return *hash == name;
  if (size) return regular_file_size(blob) == size;
  return std::nullopt;
}

bool is_commit_hash(const std::string& text) { return is_hex(text, 40); }

std::vector<std::string> read_shard_names(const fs::path& index) {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : read_weight_index(index)) names.insert(shard);
  return {names.begin(), names.end()};
}

HubCache::HubCache(const fs::path& cache, const std::string& repository)
    : root_(cache / folder_name(repository)), locks_(cache / ".locks" / folder_name(repository)) {}

std::optional<std::string> HubCache::find_commit(const std::string& revision) const {
  if (is_commit_hash(revision)) return revision;
  const fs::path ref = root_ / "refs" / revision;
  std::error_code error;
  if (!fs::is_regular_file(ref, error)) return std::nullopt;
  const std::string commit = strip(read_file(ref));
  if (!is_commit_hash(commit)) return std::nullopt;
  return commit;
}

void HubCache::remember_commit(const std::string& revision, const std::string& commit) const {
  if (revision == commit || find_commit(revision) == commit) return;
  const fs::path ref = root_ / "refs" / revision;
  spanforge::create_directories(ref.parent_path());
  write_file_atomic(ref, commit);
}

fs::path HubCache::snapshot(const std::string& commit) const {
  return root_ / "snapshots" / commit;
}

fs::path HubCache::blob(const std::string& etag) const { return root_ / "blobs" / etag; }

bool HubCache::has_file(const std::string& commit, const std::string& file) const {
  std::error_code error;
  return fs::is_regular_file(snapshot(commit) / file, error);  // false for a link without its blob
}

fs::path HubCache::blob_of(const std::string& commit, const std::string& file) const {
  const fs::path path = snapshot(commit) / file;
  std::error_code error;
  const fs::path target = fs::read_symlink(path, error);
  return error ? path : (path.parent_path() / target).lexically_normal();
}

void HubCache::mark_absent(const std::string& commit, const std::string& file) const {
  const fs::path path = root_ / ".no_exist" / commit / file;
  spanforge::create_directories(path.parent_path());
  write_file_atomic(path, "");
}

void HubCache::link(const std::string& commit, const std::string& file,
                    const std::string& etag) const {
  const fs::path path = snapshot(commit) / file;
  spanforge::create_directories(path.parent_path());
  const fs::path target = fs::path("../../blobs") / etag;
  std::error_code error;
  fs::remove(path, error);
  fs::create_symlink(target, path, error);
  if (error) throw Error(ErrorCode::kIo, path.string(), "cannot be linked: " + error.message());
}

// A link whose blob was not copied looks like an existing file.
std::string HubCache::describe_missing(const std::string& commit, const std::string& file) const {
  std::error_code error;
  if (!fs::is_symlink(snapshot(commit) / file, error)) return file;
  return fmt::format("{} (it is a link, but its blob is missing: copy the whole folder {})", file,
                     root_.string());
}

std::optional<std::string> HubCache::find_only_snapshot() const {
  std::optional<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root_ / "snapshots", error)) {
    const std::string name = entry.path().filename();
    if (!is_commit_hash(name)) continue;
    if (found) return std::nullopt;
    found = name;
  }
  return found;
}

std::string HubCache::find_obstacle() const {
  if (::access(root_.c_str(), R_OK | X_OK) == 0 || errno == ENOENT) return {};
  return fmt::format("{} cannot be read ({})", root_.string(), std::strerror(errno));
}

// Its base model is another repository.
std::string HubCache::find_missing_of_adapter(const std::string& commit) const {
  for (const char* name : {"adapter_model.safetensors", "adapter_model.bin"}) {
    if (has_file(commit, name)) return {};
  }
  return describe_missing(commit, "adapter_model.safetensors");
}

std::string HubCache::find_missing(const std::string& commit) const {
  if (has_file(commit, "adapter_config.json") && !has_file(commit, kModelConfigFile)) {
    return find_missing_of_adapter(commit);
  }
  if (!has_file(commit, kModelConfigFile)) return describe_missing(commit, kModelConfigFile);
  if (!has_tokenizer([&](const std::string& name) { return has_file(commit, name); })) {
    return describe_tokenizer_files();
  }
  for (const std::string name : kWeightFiles) {
    if (has_file(commit, name)) return {};
    const std::string index = name + ".index.json";
    if (!has_file(commit, index)) continue;
    const auto shards = read_shard_names(snapshot(commit) / index);
    const auto lost = std::find_if(shards.begin(), shards.end(), [&](const std::string& shard) {
      return !has_file(commit, shard);
    });
    return lost == shards.end() ? "" : describe_missing(commit, *lost);
  }
  for (const std::string name : kWeightFiles) {
    if (fs::is_symlink(snapshot(commit) / name)) return describe_missing(commit, name);
  }
  return describe_weight_files();
}

std::string HubCache::find_unsound(const std::string& commit) const {
  if (!directory_exists(snapshot(commit))) return {};
  for (const std::string& file : list_directory(snapshot(commit))) {
    const fs::path blob = blob_of(commit, file);
    if (has_file(commit, file) && is_sound(blob) == false) {
      return fmt::format("{} (it is damaged: delete {})", file, blob.string());
    }
  }
  return {};
}

Descriptor HubCache::lock(const std::string& etag) const {
  spanforge::create_directories(locks_);
  Descriptor file(locks_ / (etag + ".lock"), O_RDWR | O_CREAT);
  file.lock();
  return file;
}

}  // namespace spanforge
