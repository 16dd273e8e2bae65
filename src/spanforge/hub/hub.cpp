#include "spanforge/hub/hub.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/hub/cache.h"
#include "spanforge/hub/download.h"
#include "spanforge/hub/explain.h"
#include "spanforge/io/file.h"
#include "spanforge/io/foreign_weights.h"
#include "spanforge/io/model_files.h"

namespace spanforge {
namespace {

constexpr const char* kAdapterConfig = "adapter_config.json";

// The cached snapshot, or what it lacks.
struct Cached {
  fs::path snapshot;
  std::string missing;
};

// Users confuse HF_HOME with its folder hub.
std::string elsewhere(const HubId& id, const HubOptions& options) {
  for (const fs::path& other : {options.cache / "hub", options.cache.parent_path()}) {
    if (HubCache(other, id.repository).find_only_snapshot()) {
      return fmt::format("; {} has it: set HF_HUB_CACHE to that", other.string());
    }
  }
  return {};
}

Cached find_cached(const HubId& id, const HubOptions& options) {
  const HubCache cache(options.cache, id.repository);
  if (const std::string obstacle = cache.find_obstacle(); !obstacle.empty()) {
    return {{}, fmt::format("files: {}", obstacle)};
  }
  auto commit = cache.find_commit(id.revision);
  if (!commit && id.revision == HubId().revision) commit = cache.find_only_snapshot();
  if (!commit) return {{}, fmt::format("revision \"{}\"{}", id.revision, elsewhere(id, options))};
  const std::string unsound = options.verify ? cache.find_unsound(*commit) : "";
  return {cache.snapshot(*commit), unsound.empty() ? cache.find_missing(*commit) : unsound};
}

void fetch_weights(HubDownloader& downloader, const HubCache& cache, const HubId& id) {
  for (const std::string name : kWeightFiles) {
    if (downloader.fetch(name)) return;
    const std::string index = name + ".index.json";
    if (!downloader.fetch(index)) continue;
    const fs::path path = cache.snapshot(downloader.commit()) / index;
    for (const std::string& shard : read_shard_names(path)) downloader.require(shard);
    return;
  }
  if (downloader.files()) {
    const std::vector<std::string> names(downloader.files()->begin(), downloader.files()->end());
    if (const auto description = find_foreign_weights(names)) {
      throw Error(ErrorCode::kBadModel, id.repository, *description);
    }
  }
  throw Error(ErrorCode::kBadModel, id.repository,
              fmt::format("has no {}", describe_weight_files()));
}

// A LoRA adapter's repository has adapter_config.json and no weights of a whole model. Its base is
// another repository, which the caller fetches.
bool is_adapter(HubDownloader& downloader) {
  if (!downloader.files())
    return !downloader.fetch("config.json") && downloader.fetch(kAdapterConfig);
  const std::set<std::string>& files = *downloader.files();
  if (files.count(kAdapterConfig) == 0) return false;
  for (const std::string name : {"model.safetensors", "pytorch_model.bin"}) {
    if (files.count(name) > 0 || files.count(name + ".index.json") > 0) return false;
  }
  return true;
}

void fetch_adapter(HubDownloader& downloader, const HubId& id) {
  downloader.require(kAdapterConfig);
  if (downloader.fetch("adapter_model.safetensors") || downloader.fetch("adapter_model.bin"))
    return;
  throw Error(ErrorCode::kBadModel, id.repository,
              "is an adapter, but has neither adapter_model.safetensors nor adapter_model.bin");
}

fs::path fetch_model(HubDownloader& downloader, const HubId& id, const HubOptions& options) {
  const HubCache cache(options.cache, id.repository);
  if (is_adapter(downloader)) {
    fetch_adapter(downloader, id);
  } else {
    downloader.require(kModelConfigFile);
    fetch_weights(downloader, cache, id);
  }
  for_each_tokenizer_file([&](const char* file) { downloader.fetch(file); });
  downloader.fetch(kAnswerSettingsFile);
  downloader.finish();
  return cache.snapshot(downloader.commit());
}

}  // namespace

fs::path resolve_model(const std::string& id_or_directory, const HubOptions& options) {
  std::error_code ignored;
  if (fs::is_directory(id_or_directory, ignored)) return id_or_directory;
  if (fs::exists(id_or_directory, ignored)) {
    throw Error(ErrorCode::kIo, id_or_directory, "is a file; a model is a directory or a hub id");
  }
  const HubId id = parse_hub_id(id_or_directory, options.endpoint);
  const Cached cached = find_cached(id, options);
  const bool complete = cached.missing.empty();
  if (complete && is_commit_hash(id.revision)) return cached.snapshot;  // a commit never changes
  if (options.offline) {
    if (complete) return cached.snapshot;
    throw Error(
        ErrorCode::kCacheMiss, id_or_directory,
        fmt::format("is not a directory, and the cache {} lacks its {}; HF_HUB_OFFLINE or "
                    "TRANSFORMERS_OFFLINE forbids fetching it (HF_HOME or HF_HUB_CACHE names "
                    "another cache)",
                    options.cache.string(), cached.missing));
  }
  // Uses the cache after a failure with this place and reason, if the cache is complete.
  const auto use_cache = [&](const std::string& place, const std::string& reason) {
    if (options.notice) {
      options.notice(
          fmt::format("{}: {}; using the cached {}", place, reason, cached.snapshot.string()));
    }
    return cached.snapshot;
  };
  const auto lacking = [&] {
    return fmt::format("{} is not a directory, and the cache {} lacks its {}", id_or_directory,
                       options.cache.string(), cached.missing);
  };
  HubDownloader downloader(id, options);
  try {
    try {
      downloader.open();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNetwork) throw;
      if (complete) return use_cache(error.place().text(), error.reason());
      throw error.with_reason(fmt::format("{}; {}", error.reason(), lacking()));
    }
    return fetch_model(downloader, id, options);
  } catch (const HubUnreachable& problem) {
    const std::string place = quote_for_message(shown_url(problem.url), 300);
    if (complete) return use_cache(place, problem.reason);
    throw Error(ErrorCode::kNetwork, place,
                fmt::format("{}; {}; {}", problem.reason, lacking(), kReachAdvice));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIo) throw;
    if (complete) return use_cache(error.place().text(), error.reason());
    throw error.with_reason(error.reason() +
                            "; HF_HOME or HF_HUB_CACHE can name another place for the cache");
  }
}

}  // namespace spanforge
