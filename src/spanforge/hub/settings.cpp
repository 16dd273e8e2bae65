#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/hub/http.h"
#include "spanforge/hub/hub.h"
#include "spanforge/io/file.h"

namespace spanforge {
namespace {

// Characters around a value that do not belong to it: blanks, line ends, and quotes that no shell
// removed (in files for `docker --env-file`, in settings copied from a page).
std::string bare(std::string text) {
  constexpr std::array<std::string_view, 13> kAround = {
      " ",      "\t",     "\r",     "\n",     "\"",     "'",     "\u201c",
      "\u201d", "\u2018", "\u2019", "\u00a0", "\u3000", "\ufeff"};
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::string_view around : kAround) {
      const size_t size = around.size();
      if (text.starts_with(around)) text.erase(0, size), changed = true;
      if (text.ends_with(around)) text.resize(text.size() - size), changed = true;
    }
  }
  return text;
}

struct Setting {
  std::string name, value;  // value: "" if no variable of the list is set
  bool is_file = false;     // the name of a file, not of a variable
};

// An empty variable counts as not set, as in huggingface_hub's "or" chains.
Setting first_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    std::string value = bare(environment_or(name, ""));
    if (!value.empty()) return {name, std::move(value)};
  }
  return {*names.begin(), ""};
}

bool is_true(const std::string& text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper == "1" || upper == "ON" || upper == "YES" || upper == "TRUE";
}

[[noreturn]] void refuse(const Setting& setting, const std::string& why) {
  const ErrorPlace place =
      setting.is_file ? ErrorPlace{.file = setting.name} : ErrorPlace{.where = setting.name};
  throw Error(ErrorCode::kUsage, place, why);
}

std::string home_directory() {
  std::string home = environment_or("HOME", "");
  if (!home.empty()) return home;
  const passwd* user = ::getpwuid(::getuid());  // services often have no HOME
  return user != nullptr && user->pw_dir != nullptr ? user->pw_dir : "";
}

// Expands "~", "$NAME" and "${NAME}", which no shell does for settings of a service or a container.
// Keeps an unknown variable as it is written, like Python's expandvars.
fs::path expand(std::string path) {
  if (path == "~" || path.starts_with("~/")) path = home_directory() + path.substr(1);
  std::string out;
  for (size_t at = 0; at < path.size();) {
    const bool braced = path.compare(at, 2, "${") == 0;
    size_t end = at + (braced ? 2 : 1);
    const size_t start = end;
    while (path[at] == '$' && end < path.size() &&
           (std::isalnum(static_cast<unsigned char>(path[end])) != 0 || path[end] == '_')) {
      ++end;
    }
    const std::string name = path.substr(start, end - start);
    if (braced && end < path.size() && path[end] == '}') ++end;
    const std::string written = path.substr(at, end - at);
    const bool is_variable = path[at] == '$' && !name.empty() && (!braced || path[end - 1] == '}');
    out += is_variable ? environment_or(name.c_str(), written) : written;
    at = end;
  }
  return out;
}

std::string read_endpoint(const std::string& preset) {
  const Setting setting = first_set({"HF_ENDPOINT"});
  std::string endpoint = setting.value.empty() ? preset : setting.value;
  // Without a scheme it means https: a token must not be sent unencrypted by accident.
  if (endpoint.find(":/") == std::string::npos) endpoint = "https://" + endpoint;
  for (const std::string scheme : {"https:/", "http:/"}) {  // a slash too few
    if (endpoint.starts_with(scheme) && !endpoint.starts_with(scheme + "/")) {
      endpoint.insert(scheme.size(), "/");
    }
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  if (!is_plain_http_url(endpoint)) {
    refuse(setting, fmt::format("\"{}\" is not the address of a hub; a mirror's looks like "
                                "https://hf-mirror.com",
                                quote_for_message(shown_url(setting.value), 200)));
  }
  return endpoint;
}

// Returns only the token: users also store "Bearer TOKEN". It is never shown, not even if it is
// malformed.
std::string clean_token(const Setting& setting) {
  std::string token = setting.value;
  std::erase_if(token, [](char c) { return c == '\r' || c == '\n'; });
  for (const char* prefix : {"Authorization:", "Bearer ", "bearer "}) {
    if (token.starts_with(prefix)) token = bare(token.substr(std::string_view(prefix).size()));
  }
  if (std::any_of(token.begin(), token.end(),
                  [](unsigned char c) { return c <= 0x20 || c > 0x7E; })) {
    refuse(setting, "has characters that no token has; it must be only the token (hf_...)");
  }
  return token;
}

void read_token(const fs::path& home, HubOptions& options) {
  if (is_true(first_set({"HF_HUB_DISABLE_IMPLICIT_TOKEN"}).value)) return;
  Setting setting = first_set({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"});
  if (setting.value.empty()) {
    const std::string path = first_set({"HF_TOKEN_PATH"}).value;
    const fs::path file = path.empty() ? home / "token" : expand(path);
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return;
    setting = {file.string(), bare(read_file(file)), true};
  }
  options.token = clean_token(setting);
  options.token_source = setting.name;
}

double read_seconds(const char* name, double preset) {
  const Setting setting = first_set({name});
  if (setting.value.empty()) return preset;
  int seconds = 0;
  const char* end = setting.value.data() + setting.value.size();
  const auto result = std::from_chars(setting.value.data(), end, seconds);
  if (result.ec != std::errc{} || result.ptr != end || seconds < 0 || seconds > 1000000) {
    refuse(setting, fmt::format("\"{}\" is not a whole number of seconds",
                                quote_for_message(setting.value)));
  }
  return seconds == 0 ? preset : seconds;  // 0 means the default, as huggingface_hub's "or" does
}

std::string read_proxy(const Setting& setting) {
  if (setting.value.empty()) return {};
  const auto proxy = normal_proxy(setting.value);
  if (!proxy) {
    refuse(setting,
           "is not the address of a proxy; write http://[NAME:PASSWORD@]HOST:PORT or "
           "socks5h://HOST:PORT");
  }
  return *proxy;
}

HubNetwork read_network() {
  HubNetwork network;
  network.http_proxy =
      read_proxy(first_set({"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}));
  network.https_proxy =
      read_proxy(first_set({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}));
  network.no_proxy = first_set({"no_proxy", "NO_PROXY"}).value;
  const Setting bundle = first_set({"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"});
  const Setting directory = first_set({"SSL_CERT_DIR"});
  const fs::path path = expand(bundle.value);
  if (!bundle.value.empty() && !path_exists(path)) {
    throw Error(ErrorCode::kIo, path.string(), "does not exist, but " + bundle.name + " names it");
  }
  // requests accepts a directory in place of a file.
  if (!bundle.value.empty() && directory_exists(path)) {
    network.ca_directory = path;
  } else {
    network.ca_file = path;
  }
  if (!directory.value.empty()) network.ca_directory = expand(directory.value);
  return network;
}

}  // namespace

std::string shown_endpoint(const HubOptions& options) { return shown_url(options.endpoint); }

HubOptions hub_options_from_environment() {
  const auto or_else = [](const Setting& setting, std::string fallback) {
    return setting.value.empty() ? std::move(fallback) : setting.value;
  };
  const std::string base = or_else(first_set({"XDG_CACHE_HOME"}), "~/.cache");
  const fs::path home = expand(or_else(first_set({"HF_HOME"}), base + "/huggingface"));
  HubOptions options;
  options.cache = expand(or_else(
      first_set({"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"}), home / "hub"));
  options.endpoint = read_endpoint(options.endpoint);
  options.offline = is_true(first_set({"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"}).value);
  options.timeout_seconds = read_seconds("HF_HUB_DOWNLOAD_TIMEOUT", options.timeout_seconds);
  options.etag_timeout_seconds = read_seconds("HF_HUB_ETAG_TIMEOUT", options.etag_timeout_seconds);
  options.show_progress = !is_true(first_set({"HF_HUB_DISABLE_PROGRESS_BARS"}).value);
  options.network = read_network();
  read_token(home, options);
  return options;
}

}  // namespace spanforge
