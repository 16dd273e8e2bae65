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
  std::exception_ptr thrown;  // by the sink; libcurl's frames must not be unwound
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
  if (line.starts_with("HTTP/")) {  // an interim answer's headers are none of the final one's
    response.headers.clear();
    const size_t space = line.find(' ');
    response.status = space == std::string_view::npos
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
  if (result != CURLE_OK) throw Error(ErrorCode::kInternal, "libcurl", curl_easy_strerror(result));
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

}  // namespace

const std::string* HttpResponse::header(const std::string& name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? nullptr : &it->second;
}

HttpClient::HttpClient(double timeout_seconds) : timeout_seconds_(timeout_seconds) {
  initialise_curl();
  curl_ = curl_easy_init();
  if (curl_ == nullptr) throw Error(ErrorCode::kInternal, "libcurl", "could not be started");
}

HttpClient::~HttpClient() { curl_easy_cleanup(curl_); }

HttpResponse HttpClient::head(const std::string& url, const std::vector<std::string>& headers) {
  return perform(url, headers, nullptr);
}

HttpResponse HttpClient::get(const std::string& url, const std::vector<std::string>& headers,
                             const HttpSink& sink) {
  return perform(url, headers, &sink);
}

HttpResponse HttpClient::perform(const std::string& url, const std::vector<std::string>& headers,
                                 const HttpSink* sink) {
  CURL* curl = curl_;
  curl_easy_reset(curl);  // keeps connections
  Exchange exchange;
  exchange.sink = sink;
  exchange.response.url = url;
  char error[CURL_ERROR_SIZE] = "";
  curl_slist* list = nullptr;
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  const auto seconds = static_cast<long>(std::max(1.0, timeout_seconds_));
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_NOBODY, sink == nullptr ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeout_seconds_ * 1000));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, seconds);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "spanforge");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
  const CURLcode result = curl_easy_perform(curl);
  curl_slist_free_all(list);
  if (exchange.thrown) std::rethrow_exception(exchange.thrown);
  if (result != CURLE_OK) {
    exchange.response.failure = error[0] != '\0' ? error : curl_easy_strerror(result);
    exchange.response.connected = result != CURLE_COULDNT_RESOLVE_HOST &&
                                  result != CURLE_COULDNT_RESOLVE_PROXY &&
                                  result != CURLE_COULDNT_CONNECT;
  }
  return std::move(exchange.response);
}

std::string resolve_url(const std::string& base, const std::string& location) {
  const UrlHandle url = parse_url(base);
  const bool ok = curl_url_set(url.get(), CURLUPART_URL, location.c_str(), 0) == CURLUE_OK;
  const std::string scheme = ok ? url_part(url.get(), CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    throw Error(ErrorCode::kNetwork, quote_for_message(base, 200),
                fmt::format("redirects to \"{}\", which is no http or https address: refused",
                            quote_for_message(location, 200)));
  }
  if (scheme == "http" && url_origin(base).starts_with("https:")) {
    throw Error(ErrorCode::kNetwork, quote_for_message(base, 200),
                fmt::format("redirects to \"{}\", which is not encrypted: refused",
                            quote_for_message(location, 200)));
  }
  return url_part(url.get(), CURLUPART_URL);
}

std::string url_origin(const std::string& text) {
  const UrlHandle url = parse_url(text);
  return lower(url_part(url.get(), CURLUPART_SCHEME)) + "://" +
         lower(url_part(url.get(), CURLUPART_HOST)) + ":" +
         url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
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
