#pragma once
// Plain HTTP requests through libcurl. Does not follow redirects: the caller decides whom to ask
// next, and with which credentials. Only http and https. Internal to hub/.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/hub/hub.h"

namespace spanforge {

// Why there is no complete answer.
enum class HttpTrouble {
  kNone,
  kName,            // the host's name is not known
  kProxyName,       // the proxy's name is not known
  kProxySilent,     // the proxy, or the way through it, does not work
  kProxyRefuses,    // the proxy answers with proxy_status
  kConnect,         // no server accepts the connection
  kConnectTimeout,  // no server accepts or refuses the connection
  kTls,             // the other side does not speak TLS, or broke it off
  kCertificate,     // the certificate is another host's or is not trusted
  kNoCertificates,  // the file of trusted certificates cannot be read
  kTimeout,         // no more bytes arrived
  kOther,
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of several wins
  std::string url;                             // the request's URL
  std::string failure;  // libcurl's text for a failed exchange; "": it is complete
  HttpTrouble trouble = HttpTrouble::kNone;
  std::string proxy;      // the proxy that was asked, without name and password
  long proxy_status = 0;  // the proxy's answer to the request for a tunnel
  double timeout_seconds = 0;
  bool reached = false;  // an answer's header arrived

  // Whether the same request may succeed soon.
  bool may_pass() const;
  const std::string* header(const std::string& name) const;
};

// Receives the body piece by piece; returning false stops the transfer. Its exceptions reach the
// caller.
using HttpSink = std::function<bool(const HttpResponse& so_far, std::string_view piece)>;

class HttpClient {
 public:
  explicit HttpClient(HubNetwork network);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // timeout_seconds: the longest time to connect, and without a byte arriving.
  HttpResponse head(const std::string& url, const std::vector<std::string>& headers,
                    double timeout_seconds);
  HttpResponse get(const std::string& url, const std::vector<std::string>& headers,
                   double timeout_seconds, const HttpSink& sink);

 private:
  HttpResponse perform(const std::string& url, const std::vector<std::string>& headers,
                       double timeout_seconds, const HttpSink* sink);
  void route(const std::string& url, HttpResponse& response) const;
  void* curl_ = nullptr;
  HubNetwork network_;
};

// The URL of `location`, which may be relative to `base`. Throws Error{kNetwork} unless it is an
// http or https URL, and https if base is.
std::string resolve_url(const std::string& base, const std::string& location);
// scheme://host:port, for comparisons.
std::string url_origin(const std::string& url);
std::string url_host(const std::string& url);
// Whether it is an http or https URL with a host, and without query and fragment.
bool is_plain_http_url(const std::string& url);
// For messages: without name and password, and without a query (which may be a signature).
std::string shown_url(const std::string& url);
// A proxy with its scheme (the default is http; socks becomes socks5h) and port (the default is the
// scheme's, as in Python, not libcurl's 1080). nullopt: it is not a proxy.
std::optional<std::string> normal_proxy(const std::string& proxy);
// Percent-encodes all characters except letters, digits, -._~ and, if kept, '/'.
std::string encode_url_part(std::string_view text, bool keep_slash);

}  // namespace spanforge
