#include "spanforge/formats/manifest.h"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/base/json_view.h"
#include "spanforge/base/threads.h"
#include "spanforge/io/json_file.h"

namespace spanforge {
namespace {

constexpr int kVersion = 1;

struct NamedHash {
  std::string name;
  FileHash hash;
};

std::vector<NamedHash> list_files(const fs::path& directory) {
  std::vector<NamedHash> files;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (!entry.is_regular_file()) continue;
      const std::string name = entry.path().lexically_relative(directory).generic_string();
      if (name != kManifestName) files.push_back({name, {}});
    }
  } catch (const fs::filesystem_error& error) {
    throw_io(directory, "read", error.code().value());
  }
  std::sort(files.begin(), files.end(),
            [](const NamedHash& a, const NamedHash& b) { return a.name < b.name; });
  return files;
}

// Uses only this thread: while a checkpoint is hashed, the training uses the others.
std::vector<NamedHash> hash_directory(const fs::path& directory,
                                      const std::vector<WrittenFile>& written) {
  std::vector<NamedHash> files = list_files(directory);
  for (NamedHash& file : files) {
    const fs::path path = directory / file.name;
    const auto known = std::find_if(written.begin(), written.end(), [&](const WrittenFile& w) {
      return w.path == path && w.size == regular_file_size(path);
    });
    if (known != written.end()) {
      file.hash = {known->size, known->sha256};
    } else {
      file.hash = hash_file(path);
    }
  }
  return files;
}

bool stays_inside(const std::string& name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

// Reads the files in a manifest. Errors: Error{kBadModel}, NewerVersion.
std::vector<NamedHash> read_manifest(const fs::path& directory) {
  const fs::path path = directory / kManifestName;
  const Json manifest = parse_json_file(path, ErrorCode::kBadModel);
  const JsonView view(manifest, path.string());
  const int64_t version = view.at("version").integer();
  if (version > kVersion) throw NewerVersion(path, static_cast<uint64_t>(version), kVersion);
  if (version != kVersion) view.fail(fmt::format("is not a manifest of version {}", kVersion));
  std::vector<NamedHash> listed;
  for (const auto& [name, entry] : view.at("files").members()) {
    if (!stays_inside(name)) {
      view.fail(fmt::format("\"files\" names \"{}\", which is not in its directory",
                            quote_for_message(name)));
    }
    listed.push_back({name, {entry.at("size").natural(), entry.at("sha256").string()}});
  }
  if (listed.empty()) view.fail("lists no file");
  return listed;
}

// Compares the sizes of all files before it hashes any, so that it finds a truncated file at once.
std::optional<std::string> compare(const fs::path& directory,
                                   const std::vector<NamedHash>& listed) {
  for (const NamedHash& file : listed) {
    const std::optional<uint64_t> size = regular_file_size(directory / file.name);
    if (!size) return file.name + ": is missing";
    if (*size != file.hash.size) {
      return fmt::format("{}: has {} bytes, but {} were written", file.name, *size, file.hash.size);
    }
  }
  std::vector<std::string> found(listed.size());
  parallel_for(static_cast<int64_t>(listed.size()), 1, [&](int64_t i) {
    const auto k = static_cast<size_t>(i);
    found[k] = hash_file(directory / listed[k].name).sha256;
  });
  for (size_t i = 0; i < listed.size(); ++i) {
    if (found[i] != listed[i].hash.sha256) {
      return listed[i].name + ": its SHA-256 differs from the manifest's; it is damaged or changed";
    }
  }
  return std::nullopt;
}

bool holds_weights(const fs::path& file) {
  const std::string extension = file.extension().string();
  return extension == ".safetensors" || extension == ".bin" || extension == ".pt" ||
         extension == ".pth";
}

// Names of the listed files that differ; a missing file is marked.
std::vector<std::string> find_changed(const fs::path& directory,
                                      const std::vector<NamedHash>& listed, bool with_weights) {
  std::vector<char> differs(listed.size());
  std::vector<std::string> names;
  for (const NamedHash& file : listed) names.push_back(file.name);
  parallel_for(static_cast<int64_t>(listed.size()), 1, [&](int64_t i) {
    const auto k = static_cast<size_t>(i);
    const fs::path path = directory / listed[k].name;
    const std::optional<uint64_t> size = regular_file_size(path);
    if (!size) names[k] += " (missing)";
    differs[k] = !size || *size != listed[k].hash.size;
    if (differs[k] || (holds_weights(path) && !with_weights)) return;
    differs[k] = hash_file(path).sha256 != listed[k].hash.sha256;
  });
  std::vector<std::string> changed;
  for (size_t i = 0; i < listed.size(); ++i) {
    if (differs[i]) changed.push_back(std::move(names[i]));
  }
  return changed;
}

// A malformed manifest is also a difference.
template <class Find>
std::optional<std::string> as_difference(const Find& find) {
  try {
    return find();
  } catch (const NewerVersion&) {
    throw;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    return std::string(error.what());
  }
}

}  // namespace

NewerVersion::NewerVersion(const fs::path& file, uint64_t version, int known)
    : Error(ErrorCode::kBadModel, file.string(),
            fmt::format("is of version {}, written by a newer spanforge; this one reads {}",
                        version, known)) {}

void write_manifest(DirectoryWriter& writer, const std::vector<WrittenFile>& written) {
  Json files = Json::object();
  for (const NamedHash& file : hash_directory(writer.directory(), written)) {
    files[file.name] = {{"size", file.hash.size}, {"sha256", file.hash.sha256}};
  }
  const Json manifest = {{"version", kVersion}, {"files", files}};
  writer.write_json(kManifestName, manifest);
}

std::optional<std::string> find_manifest_difference(const fs::path& directory) {
  if (!has_manifest(directory)) return fmt::format("{}: is missing", kManifestName);
  return as_difference([&] { return compare(directory, read_manifest(directory)); });
}

std::optional<std::string> describe_changes(const fs::path& directory, bool with_weights) {
  if (!has_manifest(directory)) return std::nullopt;
  std::vector<NamedHash> listed;
  try {
    listed = read_manifest(directory);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kIo) throw;
    return std::string(error.what()) + "; changes since then cannot be found";
  }
  const std::vector<std::string> changed = find_changed(directory, listed, with_weights);
  if (changed.empty()) return std::nullopt;
  return fmt::format("{}: changed since spanforge saved it: {}", directory.string(),
                     join(changed, ", "));
}

bool has_manifest(const fs::path& directory) {
  return regular_file_size(directory / kManifestName).has_value();
}

}  // namespace spanforge
