#pragma once
// Models of the Hugging Face hub, fetched into the cache that Python's huggingface_hub uses, so that
// either finds what the other has fetched:
//   CACHE/models--org--name/blobs/ETAG, refs/REVISION (a commit), snapshots/COMMIT/FILE -> blob,
//   .no_exist/COMMIT/FILE, CACHE/.locks/models--org--name/ETAG.lock
// Protocol: GET ENDPOINT/api/models/ID/revision/REV lists the files; HEAD and GET
// ENDPOINT/ID/resolve/COMMIT/FILE. A cut-off download is continued (Range); size and hash (SHA-256
// of large files, git's SHA-1 of small ones) are checked before a file gets its name. The token goes
// to the endpoint's own host only.
// Errors: Error{kNetwork, what was fetched} (not reachable, wrong answer, wrong hash, no access),
// Error{kCacheMiss, id} when offline and not cached, Error{kUsage} for an id that cannot be one,
// Error{kIo, file}.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace spanforge {

// Called while a file is fetched: its name, bytes so far, bytes in all (0 when unknown).
using HubProgress =
    std::function<void(const std::string& file, uint64_t done, uint64_t total)>;

// Called with one line the user should see: that the hub could not be reached and the cache is used.
using HubNotice = std::function<void(const std::string& line)>;

struct HubOptions {
  std::filesystem::path cache;  // ".../hub"
  std::string endpoint = "https://huggingface.co";
  std::string token;  // empty: none is sent
  bool offline = false;
  bool verify = false;  // read what the cache holds, and fetch again what has not its hash or size
  double timeout_seconds = 10;  // to connect, and without a byte arriving
  int retries = 4;              // of a connection that broke; each wait is twice the last
  double retry_wait_seconds = 1;
  HubProgress progress = nullptr;
  HubNotice notice = nullptr;
};

// From HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_ENDPOINT, HF_TOKEN, HUGGING_FACE_HUB_TOKEN,
// HF_TOKEN_PATH, HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE, as huggingface_hub reads them.
HubOptions hub_options_from_environment();

struct HubId {
  std::string repository;           // "org/name" or "name"
  std::string revision = "main";    // branch, tag or commit
};
// "org/name[@revision]". Error{kUsage} when it is none.
HubId parse_hub_id(const std::string& id);

// An existing directory is returned as it is. Anything else is an id: what a model directory needs
// (config.json; model.safetensors or its index and shards, else pytorch_model.bin or its; tokenizer
// files as present) is fetched where the cache lacks it, and the snapshot's directory returned.
std::filesystem::path resolve_model(const std::string& id_or_directory, const HubOptions& options);

}  // namespace spanforge
