#pragma once
// What: fetches models of the Hugging Face hub into the cache of Python's huggingface_hub. Both
//   find the files that the other has fetched:
//     CACHE/models--org--name/blobs/ETAG, refs/REVISION (a commit), snapshots/COMMIT/FILE -> blob,
//     .no_exist/COMMIT/FILE, CACHE/.locks/models--org--name/ETAG.lock
// Protocol: GET ENDPOINT/api/models/ID/revision/REV lists the files; HEAD and GET
//   ENDPOINT/ID/resolve/COMMIT/FILE. An interrupted download is continued (Range). Size and hash
//   (SHA-256 of large files, git's SHA-1 of small ones) are checked before a file gets its name.
// Token: is sent only to the endpoint's own host. No message contains it.
// Without the hub: if the hub does not describe the repository (not reachable, no access, a login
//   page instead), a complete cache is used, with a notice.
// Errors: Error{kNetwork, URL or id} (not reachable, wrong answer, wrong hash, no access; the
//   reason names the setting that helps), Error{kCacheMiss, id} if offline and not cached,
//   Error{kUsage} for an impossible id or a meaningless setting, Error{kIo, file}.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace spanforge {

// Called when a file's transfer begins and while it goes on: its name, bytes so far, all bytes (0:
// unknown).
using HubProgress = std::function<void(const std::string& file, uint64_t done, uint64_t total)>;

// Called with one line for the user: the hub could not be reached, and the cache is used.
using HubNotice = std::function<void(const std::string& line)>;

// The network between this machine and the hub. An empty field: not set.
struct HubNetwork {
  std::string http_proxy, https_proxy;  // scheme://[name:password@]host[:port]
  std::string no_proxy;                 // hosts that need no proxy, separated by commas
  std::string ca_file, ca_directory;    // certificates to trust in place of the system's
};

struct HubOptions {
  std::filesystem::path cache;  // ".../hub"
  std::string endpoint = "https://huggingface.co";
  std::string token;         // "": none is sent
  std::string token_source;  // the variable or file of the token, for messages
  bool offline = false;
  bool verify = false;  // read the cached files, and fetch again those with a wrong hash or size
  double timeout_seconds = 10;       // to connect, and without a byte arriving, while fetching
  double etag_timeout_seconds = 10;  // the same for requests about files
  int retries = 4;                   // of a broken connection; each wait is twice the last
  double retry_wait_seconds = 1;
  HubNetwork network;
  bool show_progress = true;  // for the caller: whether to draw bars
  HubProgress progress = nullptr;
  HubNotice notice = nullptr;
};

// Reads the environment like huggingface_hub 2.4 (constants.py, utils/_auth.py), and proxies and
// certificates like Python's requests and httpx; docs/hub.md lists the variables. Removes blanks,
// line ends and quotes around values. Error{kUsage, variable} for a meaningless value, Error{kIo}
// for certificates or a token file that cannot be read.
HubOptions hub_options_from_environment();

// The endpoint without name and password, for people.
std::string shown_endpoint(const HubOptions& options);

struct HubId {
  std::string repository;         // "org/name" or "name"
  std::string revision = "main";  // branch, tag or commit
};
// Reads "org/name[@revision]", or the address of its page or of one of its files at the hub
// (huggingface.co, hf.co, hf-mirror.com or the endpoint). Throws Error{kUsage} for other texts.
HubId parse_hub_id(const std::string& id, const std::string& endpoint = HubOptions().endpoint);
// Whether a text is an address, not an id or a path. An address is never a directory.
bool is_hub_address(const std::string& text, const std::string& endpoint = HubOptions().endpoint);

// Returns an existing directory unchanged. For an id, fetches the files that the cache lacks and
// returns the snapshot's directory. A model needs config.json; model.safetensors or its index and
// shards, else pytorch_model.bin or its; and tokenizer files. A LoRA adapter needs
// adapter_config.json, adapter_model.safetensors or .bin, and tokenizer files if there are any.
std::filesystem::path resolve_model(const std::string& id_or_directory, const HubOptions& options);

}  // namespace spanforge
