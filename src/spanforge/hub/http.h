#pragma once
// Plain HTTP requests through libcurl, without following redirects: who may be asked next, and with
// which credentials, is decided by the caller. Only http and https are spoken. Internal to hub/.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of several wins
  std::string url;         // what was asked
  std::string failure;     // why the exchange broke off, in libcurl's words; empty when it is whole
  bool connected = true;   // false: there was no server to talk to
  bool reached = false;    // an answer's header arrived

  const std::string* header(const std::string& name) const;
};

// Gets the body piece by piece; false stops the transfer. What it throws reaches the caller.
using HttpSink = std::function<bool(const HttpResponse& so_far, std::string_view piece)>;

class HttpClient {
 public:
  explicit HttpClient(double timeout_seconds);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  HttpResponse head(const std::string& url, const std::vector<std::string>& headers);
  HttpResponse get(const std::string& url, const std::vector<std::string>& headers,
                   const HttpSink& sink);

 private:
  HttpResponse perform(const std::string& url, const std::vector<std::string>& headers,
                       const HttpSink* sink);
  void* curl_ = nullptr;
  double timeout_seconds_;
};

// `location` as seen from `base` (it may be relative). Error{kNetwork} unless the result is an http
// or https URL, and https where base is.
std::string resolve_url(const std::string& base, const std::string& location);
// scheme://host:port, for comparing.
std::string url_origin(const std::string& url);
// Percent-encodes everything but letters, digits and -._~ and, if kept, '/'.
std::string encode_url_part(std::string_view text, bool keep_slash);

}  // namespace spanforge
