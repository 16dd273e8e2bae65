#include "spanforge/hub/hub.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/hub/cache.h"
#include "spanforge/hub/download.h"

namespace spanforge {
namespace {

constexpr std::array<const char*, 6> kOptionalFiles = {
    "tokenizer.json",          "tokenizer_config.json", "vocab.txt",
    "special_tokens_map.json", "added_tokens.json",     "spanforge.json"};

// A variable that is set to nothing counts as not set, as in huggingface_hub's own "or" chains.
std::string first_set(std::initializer_list<const char*> names, std::string fallback) {
  for (const char* name : names) {
    std::string value = environment_or(name, "");
    if (!value.empty()) return value;
  }
  return fallback;
}

bool is_true(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text == "1" || text == "ON" || text == "YES" || text == "TRUE";
}

fs::path expand_home(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  return environment_or("HOME", "") + path.substr(1);
}

std::string trim(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string read_token(const fs::path& home) {
  if (is_true(environment_or("HF_HUB_DISABLE_IMPLICIT_TOKEN", ""))) return {};
  std::string token = first_set({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}, "");
  if (token.empty()) {
    const fs::path file = expand_home(first_set({"HF_TOKEN_PATH"}, (home / "token").string()));
    std::error_code error;
    if (fs::is_regular_file(file, error)) token = read_file(file);
  }
  token = trim(token);
  if (std::any_of(token.begin(), token.end(),
                  [](unsigned char c) { return c <= 0x20 || c > 0x7E; })) {
    throw Error(ErrorCode::kUsage, "HF_TOKEN", "holds characters that no token has");
  }
  return token;
}

bool is_repository_part(std::string_view part) {
  return !part.empty() && part.find("--") == std::string_view::npos &&
         part.find("..") == std::string_view::npos && part.front() != '-' && part.front() != '.' &&
         part.back() != '-' && part.back() != '.' &&
         std::all_of(part.begin(), part.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

bool is_revision(std::string_view revision) {
  return !revision.empty() && revision.front() != '/' && revision.back() != '/' &&
         revision.find("..") == std::string_view::npos &&
         revision.find("//") == std::string_view::npos &&
         std::all_of(revision.begin(), revision.end(),
                     [](unsigned char c) { return c > 0x20 && c != 0x7F && c != '\\'; });
}

// The snapshot that the cache holds, or why it is none.
struct Cached {
  fs::path snapshot;
  std::string missing;
};

Cached find_cached(const HubId& id, const HubOptions& options) {
  const HubCache cache(options.cache, id.repository);
  const auto commit = cache.find_commit(id.revision);
  if (!commit) return {{}, fmt::format("revision \"{}\"", id.revision)};
  const std::string unsound = options.verify ? cache.find_unsound(*commit) : "";
  return {cache.snapshot(*commit), unsound.empty() ? cache.find_missing(*commit) : unsound};
}

void fetch_weights(HubDownloader& downloader, const HubCache& cache, const HubId& id) {
  for (const std::string name : {"model.safetensors", "pytorch_model.bin"}) {
    if (downloader.fetch(name)) return;
    const std::string index = name + ".index.json";
    if (!downloader.fetch(index)) continue;
    const fs::path path = cache.snapshot(downloader.commit()) / index;
    for (const std::string& shard : read_shard_names(path)) downloader.require(shard);
    return;
  }
  throw Error(ErrorCode::kBadModel, id.repository,
              "has neither model.safetensors nor pytorch_model.bin");
}

fs::path fetch_model(const HubId& id, const HubOptions& options) {
  HubDownloader downloader(id, options);
  const HubCache cache(options.cache, id.repository);
  downloader.open();
  downloader.require("config.json");
  fetch_weights(downloader, cache, id);
  for (const char* file : kOptionalFiles) downloader.fetch(file);
  return cache.snapshot(downloader.commit());
}

}  // namespace

HubOptions hub_options_from_environment() {
  const std::string base = first_set({"XDG_CACHE_HOME"}, "~/.cache");
  const fs::path home = expand_home(first_set({"HF_HOME"}, base + "/huggingface"));
  HubOptions options;
  options.cache =
      expand_home(first_set({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}, (home / "hub").string()));
  options.endpoint = first_set({"HF_ENDPOINT"}, options.endpoint);
  while (options.endpoint.ends_with('/')) options.endpoint.pop_back();
  options.offline = is_true(first_set({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}, ""));
  options.token = read_token(home);
  return options;
}

HubId parse_hub_id(const std::string& text) {
  HubId id;
  const size_t at = text.find('@');
  id.repository = text.substr(0, at);
  if (at != std::string::npos) id.revision = text.substr(at + 1);
  const size_t slash = id.repository.find('/');
  const std::string_view name =
      std::string_view(id.repository).substr(slash == std::string::npos ? 0 : slash + 1);
  const bool organisation_ok =
      slash == std::string::npos || is_repository_part(id.repository.substr(0, slash));
  if (id.repository.size() > 96 || !organisation_ok || !is_repository_part(name) ||
      !is_revision(id.revision)) {
    throw Error(ErrorCode::kUsage, text.empty() ? "\"\"" : quote_for_message(text, 200),
                "is neither a directory here nor a model id of the form org/name[@revision]");
  }
  return id;
}

fs::path resolve_model(const std::string& id_or_directory, const HubOptions& options) {
  std::error_code error;
  if (fs::is_directory(id_or_directory, error)) return id_or_directory;
  if (fs::exists(id_or_directory, error)) {
    throw Error(ErrorCode::kIo, id_or_directory, "is a file; a model is a directory or a hub id");
  }
  const HubId id = parse_hub_id(id_or_directory);
  const Cached cached = find_cached(id, options);
  const bool complete = cached.missing.empty();
  if (complete && is_commit_hash(id.revision)) return cached.snapshot;  // a commit never changes
  if (options.offline) {
    if (complete) return cached.snapshot;
    throw Error(ErrorCode::kCacheMiss, id_or_directory,
                fmt::format("is no directory, and the cache {} lacks its {}; HF_HUB_OFFLINE or "
                            "TRANSFORMERS_OFFLINE forbids fetching it",
                            options.cache.string(), cached.missing));
  }
  try {
    return fetch_model(id, options);
  } catch (const HubUnreachable& problem) {
    if (!complete) {
      throw Error(
          ErrorCode::kNetwork, quote_for_message(problem.url, 300),
          fmt::format("cannot be reached ({}), and {} is no directory here and not whole in "
                      "the cache (it lacks {})",
                      problem.reason, id_or_directory, cached.missing));
    }
    if (options.notice) {
      options.notice(fmt::format("{} cannot be reached ({}); using the cached {}", problem.url,
                                 problem.reason, cached.snapshot.string()));
    }
    return cached.snapshot;
  }
}

}  // namespace spanforge
