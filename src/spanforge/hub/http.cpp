#include "spanforge/hub/http.h"

#include <algorithm>
#include <cctype>
#include <exception>
#include <memory>

#include <curl/curl.h>
#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

struct Exchange {
  HttpResponse response;
  const HttpSink* sink = nullptr;
  std::exception_ptr thrown;  // by the sink; exceptions must not pass through libcurl
};

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

size_t on_header(char* data, size_t size, size_t count, void* user) {
  constexpr size_t kMaxHeaders = 200;
  auto& response = static_cast<Exchange*>(user)->response;
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {  // discards the headers of an interim answer
    response.headers.clear();
    const size_t space = line.find(' ');
    response.status =
        space == std::string_view::npos
            ? 0
            : std::strtol(std::string(line.substr(space + 1, 3)).c_str(), nullptr, 10);
    response.reached = true;
    return line.size();
  }
  const size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    response.headers[lower(trim(line.substr(0, colon)))] = trim(line.substr(colon + 1));
  }
  return response.headers.size() > kMaxHeaders ? 0 : line.size();
}

size_t on_body(char* data, size_t size, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view piece(data, size * count);
  if (exchange.sink == nullptr) return piece.size();
  try {
    return (*exchange.sink)(exchange.response, piece) ? piece.size() : 0;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return 0;
  }
}

void initialise_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK)
    throw Error(ErrorCode::kInternal, {.where = "libcurl"}, curl_easy_strerror(result));
}

using UrlHandle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

UrlHandle parse_url(const std::string& url) {
  UrlHandle handle(curl_url(), &curl_url_cleanup);
  if (!handle || curl_url_set(handle.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    throw Error(ErrorCode::kNetwork, quote_for_message(url, 200), "is not a URL");
  }
  return handle;
}

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

long info(CURL* curl, CURLINFO what) {
  long value = 0;
  curl_easy_getinfo(curl, what, &value);
  return value;
}

// Whether the connection, including TLS, was never ready for a request.
bool was_connecting(CURL* curl) {
  double seconds = 0;
  curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME, &seconds);
  return seconds == 0;
}

HttpTrouble trouble_of(CURLcode result, CURL* curl, HttpResponse& response) {
  response.proxy_status = info(curl, CURLINFO_HTTP_CONNECTCODE);
  if (response.proxy_status >= 300) return HttpTrouble::kProxyRefuses;
  switch (result) {
    case CURLE_COULDNT_RESOLVE_HOST: return HttpTrouble::kName;
    case CURLE_COULDNT_RESOLVE_PROXY: return HttpTrouble::kProxyName;
    case CURLE_PROXY: return HttpTrouble::kProxySilent;
    case CURLE_COULDNT_CONNECT:
      return response.proxy.empty() ? HttpTrouble::kConnect : HttpTrouble::kProxySilent;
    case CURLE_SSL_CONNECT_ERROR: return HttpTrouble::kTls;
    case CURLE_PEER_FAILED_VERIFICATION: return HttpTrouble::kCertificate;
    case CURLE_SSL_CACERT_BADFILE: return HttpTrouble::kNoCertificates;
    case CURLE_OPERATION_TIMEDOUT:
      return was_connecting(curl) ? HttpTrouble::kConnectTimeout : HttpTrouble::kTimeout;
    default: return HttpTrouble::kOther;
  }
}

// no_proxy: "*", or hosts and domains with their subdomains. libcurl handles ranges of addresses.
bool is_asked_directly(const std::string& host, const std::string& no_proxy) {
  for (size_t start = 0; start < no_proxy.size();) {
    const size_t end = std::min(no_proxy.find_first_of(", ", start), no_proxy.size());
    std::string entry = lower(no_proxy.substr(start, end - start));
    start = end + 1;
    if (entry == "*") return true;
    entry.erase(0, std::min(entry.find_first_not_of("*."), entry.size()));
    if (!entry.empty() && (host == entry || host.ends_with("." + entry))) return true;
  }
  return false;
}

}  // namespace

const std::string* HttpResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? nullptr : &it->second;
}

bool HttpResponse::may_pass() const {
  return trouble == HttpTrouble::kNone || trouble == HttpTrouble::kTimeout ||
         trouble == HttpTrouble::kOther;
}

HttpClient::HttpClient(HubNetwork network) : network_(std::move(network)) {
  initialise_curl();
  curl_ = curl_easy_init();
  if (curl_ == nullptr)
    throw Error(ErrorCode::kInternal, {.where = "libcurl"}, "could not be started");
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

HttpResponse HttpClient::head(const std::string& url, const std::vector<std::string>& headers,
                              double timeout_seconds) {
  return perform(url, headers, timeout_seconds, nullptr);
}

HttpResponse HttpClient::get(const std::string& url, const std::vector<std::string>& headers,
                             double timeout_seconds, const HttpSink& sink) {
  return perform(url, headers, timeout_seconds, &sink);
}

// Sets proxy and certificates. libcurl must not look for proxies in the environment by itself.
void HttpClient::route(const std::string& url, HttpResponse& response) const {
  CURL* curl = curl_;
  std::string proxy = url.starts_with("https:") ? network_.https_proxy : network_.http_proxy;
  if (is_asked_directly(url_host(url), network_.no_proxy)) proxy.clear();
  if (!proxy.empty()) response.proxy = shown_url(proxy);
  curl_easy_setopt(curl, CURLOPT_PROXY, proxy.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, network_.no_proxy.c_str());
  curl_easy_setopt(curl, CURLOPT_PROXYAUTH, static_cast<long>(CURLAUTH_ANY));
  curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!network_.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, network_.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_PROXY_CAINFO, network_.ca_file.c_str());
  }
  if (!network_.ca_directory.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAPATH, network_.ca_directory.c_str());
    curl_easy_setopt(curl, CURLOPT_PROXY_CAPATH, network_.ca_directory.c_str());
  }
}

HttpResponse HttpClient::perform(const std::string& url, const std::vector<std::string>& headers,
                                 double timeout_seconds, const HttpSink* sink) {
  CURL* curl = curl_;
  curl_easy_reset(curl);  // keeps connections
  Exchange exchange;
  exchange.sink = sink;
  exchange.response.url = url;
  exchange.response.timeout_seconds = timeout_seconds;
  char error[CURL_ERROR_SIZE] = "";
  curl_slist* list = nullptr;
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  const auto seconds = static_cast<long>(std::max(1.0, timeout_seconds));
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOBODY, sink == nullptr ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_seconds * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, seconds);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "spanforge");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  route(url, exchange.response);
  const CURLcode result = curl_easy_perform(curl);
  curl_slist_free_all(list);
  if (exchange.thrown) std::rethrow_exception(exchange.thrown);
  if (result != CURLE_OK) {
    exchange.response.failure = error[0] != '\0' ? error : curl_easy_strerror(result);
    exchange.response.trouble = trouble_of(result, curl, exchange.response);
  }
  return std::move(exchange.response);
}

std::string resolve_url(const std::string& base, const std::string& location) {
  const UrlHandle url = parse_url(base);
  const bool ok = curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) == CURLUE_OK;
  const std::string scheme = ok ? url_part(url.get(), CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(base), 200),
                fmt::format("redirects to \"{}\", which is not an http or https address",
                            quote_for_message(shown_url(location), 200)));
  }
  if (scheme == "http" && url_origin(base).starts_with("https:")) {
    throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(base), 200),
                fmt::format("redirects to \"{}\", which is not encrypted",
                            quote_for_message(shown_url(location), 200)));
  }
  return url_part(url.get(), CURLUPART_URL);
}

std::string url_origin(const std::string& text) {
  const UrlHandle url = parse_url(text);
  return lower(url_part(url.get(), CURLUPART_SCHEME)) + "://" +
         lower(url_part(url.get(), CURLUPART_HOST)) + ":" +
         url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
}

std::string url_host(const std::string& text) {
  return lower(url_part(parse_url(text).get(), CURLUPART_HOST));
}

bool is_plain_http_url(const std::string& text) {
  const UrlHandle url(curl_url(), &curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return false;
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  return (scheme == "http" || scheme == "https") && !url_part(url.get(), CURLUPART_HOST).empty() &&
         url_part(url.get(), CURLUPART_QUERY).empty() &&
         url_part(url.get(), CURLUPART_FRAGMENT).empty();
}

std::string shown_url(const std::string& text) {
  std::string out = text.substr(0, text.find('?'));
  const size_t scheme = out.find("://");
  const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t at = out.rfind('@', out.find('/', start));
  if (at != std::string::npos && at >= start) out.erase(start, at + 1 - start);
  return out;
}

std::optional<std::string> normal_proxy(const std::string& text) {
  std::string proxy = text.find("://") == std::string::npos ? "http://" + text : text;
  if (proxy.starts_with("socks:")) proxy.replace(0, 5, "socks5h");  // desktops write socks:
  const UrlHandle url(curl_url(), &curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, proxy.c_str(), CURLU_NON_SUPPORT_SCHEME) !=
                  CURLUE_OK) {
    return std::nullopt;
  }
  const std::string scheme = lower(url_part(url.get(), CURLUPART_SCHEME));
  const bool is_http = scheme == "http" || scheme == "https";
  const bool is_socks =
      scheme == "socks4" || scheme == "socks4a" || scheme == "socks5" || scheme == "socks5h";
  if ((!is_http && !is_socks) || url_part(url.get(), CURLUPART_HOST).empty()) return std::nullopt;
  if (is_http && url_part(url.get(), CURLUPART_PORT).empty()) {
    curl_url_set(url.get(), CURLUPART_PORT, scheme == "http" ? "80" : "443", 0);
  }
  curl_url_set(url.get(), CURLUPART_PATH, "", 0);
  return url_part(url.get(), CURLUPART_URL);
}

std::string encode_url_part(std::string_view text, bool keep_slash) {
  std::string out;
  for (unsigned char c : text) {
    const bool plain = std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~' ||
                       (c == '/' && keep_slash);
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

}  // namespace spanforge
