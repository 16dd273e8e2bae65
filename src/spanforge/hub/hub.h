#pragma once
// Models of the Hugging Face hub, fetched into the cache that Python's huggingface_hub uses, so
// that either finds what the other has fetched:
//   CACHE/models--org--name/blobs/ETAG, refs/REVISION (a commit), snapshots/COMMIT/FILE -> blob,
//   .no_exist/COMMIT/FILE, CACHE/.locks/models--org--name/ETAG.lock
// Protocol: GET ENDPOINT/api/models/ID/revision/REV lists the files; HEAD and GET
// ENDPOINT/ID/resolve/COMMIT/FILE. A cut-off download is continued (Range); size and hash (SHA-256
// of large files, git's SHA-1 of small ones) are checked before a file gets its name. The token
// goes to the endpoint's own host only, and no message holds it. Where the hub does not describe
// the repository (not reachable, no access, a login page instead), the cache does if it is whole,
// with a notice. Errors: Error{kNetwork, what was fetched} (not reachable, wrong answer, wrong
// hash, no access; the reason names the setting that helps), Error{kCacheMiss, id} when offline and
// not cached, Error{kUsage} for an id that cannot be one and for a setting that means nothing,
// Error{kIo, file}.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace spanforge {

// Called when a file's transfer begins and while it goes on: its name, bytes so far, bytes in all
// (0 when unknown).
using HubProgress = std::function<void(const std::string& file, uint64_t done, uint64_t total)>;

// Called with one line the user should see: that the hub could not be reached and the cache is
// used.
using HubNotice = std::function<void(const std::string& line)>;

// What lies between this machine and the hub. An empty field: none.
struct HubNetwork {
  std::string http_proxy, https_proxy;  // scheme://[name:password@]host[:port], for such addresses
  std::string no_proxy;                 // hosts that are asked without a proxy, between commas
  std::string ca_file, ca_directory;    // certificates to trust in place of the system's
};

struct HubOptions {
  std::filesystem::path cache;  // ".../hub"
  std::string endpoint = "https://huggingface.co";
  std::string token;         // empty: none is sent
  std::string token_source;  // the variable or file it came from, for messages
  bool offline = false;
  bool verify = false;  // read what the cache holds, and fetch again what has not its hash or size
  double timeout_seconds = 10;  // to connect, and without a byte arriving; while bytes are fetched
  double etag_timeout_seconds = 10;  // the same while the hub is asked what there is
  int retries = 4;                   // of a connection that broke; each wait is twice the last
  double retry_wait_seconds = 1;
  HubNetwork network;
  bool show_progress = true;  // for the caller: whether to draw bars
  HubProgress progress = nullptr;
  HubNotice notice = nullptr;
};

// From the environment, as huggingface_hub 2.4 reads it (constants.py, utils/_auth.py), and the
// proxies and certificates as Python's requests and httpx do; docs/hub.md lists the variables. What
// people leave around a value (blanks, line ends, quotes) is taken off. Error{kUsage, variable} for
// a value that means nothing, Error{kIo} for certificates or a token file that cannot be read.
HubOptions hub_options_from_environment();

// The endpoint without name and password, for people.
std::string shown_endpoint(const HubOptions& options);

struct HubId {
  std::string repository;         // "org/name" or "name"
  std::string revision = "main";  // branch, tag or commit
};
// "org/name[@revision]", or the address of its page or of one of its files at the hub
// (huggingface.co, hf.co, hf-mirror.com or the endpoint). Error{kUsage} when it is none.
HubId parse_hub_id(const std::string& id, const std::string& endpoint = HubOptions().endpoint);
// Whether a text is an address rather than an id or a path: it is never a directory.
bool is_hub_address(const std::string& text, const std::string& endpoint = HubOptions().endpoint);

// An existing directory is returned as it is. Anything else is an id: what a model directory needs
// (config.json; model.safetensors or its index and shards, else pytorch_model.bin or its; tokenizer
// files as present; of a LoRA adapter adapter_config.json, adapter_model.safetensors or .bin, and
// tokenizer files) is fetched where the cache lacks it, and the snapshot's directory returned.
std::filesystem::path resolve_model(const std::string& id_or_directory, const HubOptions& options);

}  // namespace spanforge
