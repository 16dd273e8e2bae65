#include <algorithm>
#include <exception>

#include <curl/curl.h>

#include "spanforge/base/error.h"
#include "spanforge/hub/http.h"

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
    response.headers[in_lower_case(trim(line.substr(0, colon)))] = trim(line.substr(colon + 1));
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

}  // namespace

HttpClient::HttpClient(HubNetwork network) : network_(std::move(network)) {
  initialise_curl();
  curl_ = curl_easy_init();
  if (curl_ == nullptr)
    throw Error(ErrorCode::kInternal, {.where = "libcurl"}, "could not be started");
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

// Sets proxy and certificates. libcurl must not look for proxies in the environment by itself.
void HttpClient::route(const std::string& url, HttpResponse& response) const {
  CURL* curl = curl_;
  const std::string proxy = proxy_for(url, network_);
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

}  // namespace spanforge
