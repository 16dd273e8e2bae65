#pragma once
// Plain HTTP requests through libcurl, without following redirects: who may be asked next, and with
// which credentials, is decided by the caller. Only http and https are spoken. Internal to hub/.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/hub/hub.h"

namespace spanforge {

// Why there is no whole answer.
enum class HttpTrouble {
  kNone,
  kName,            // the host's name is not known
  kProxyName,       // the proxy's is not
  kProxySilent,     // the proxy, or the way through it, does not work
  kProxyRefuses,    // the proxy answers with proxy_status
  kConnect,         // nobody takes the connection
  kConnectTimeout,  // nor refuses it
  kTls,             // the other side does not speak TLS, or cut it off
  kCertificate,     // it is somebody else, or nobody vouches for it
  kNoCertificates,  // the file of the trusted ones cannot be read
  kTimeout,         // no more bytes came
  kOther,
};

struct HttpResponse {
  long status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; the last of several wins
  std::string url;                             // what was asked
  std::string failure;  // why the exchange broke off, in libcurl's words; empty when it is whole
  HttpTrouble trouble = HttpTrouble::kNone;
  std::string proxy;      // what was asked in the host's place, without name and password
  long proxy_status = 0;  // its answer, where it was to open a tunnel
  double timeout_seconds = 0;
  bool reached = false;  // an answer's header arrived

  // The same request may do better soon.
  bool may_pass() const;
  const std::string* header(const std::string& name) const;
};

// Gets the body piece by piece; false stops the transfer. What it throws reaches the caller.
using HttpSink = std::function<bool(const HttpResponse& so_far, std::string_view piece)>;

class HttpClient {
 public:
  explicit HttpClient(HubNetwork network);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // timeout_seconds: to connect, and without a byte arriving.
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

// `location` as seen from `base` (it may be relative). Error{kNetwork} unless the result is an http
// or https URL, and https where base is.
std::string resolve_url(const std::string& base, const std::string& location);
// scheme://host:port, for comparing.
std::string url_origin(const std::string& url);
std::string url_host(const std::string& url);
// An http or https URL with a host, and without query and fragment.
bool is_plain_http_url(const std::string& url);
// Without name and password, and without a query (which may be a signature), for messages.
std::string shown_url(const std::string& url);
// A proxy with its scheme (http where it names none, socks5h for socks) and port (that of the
// scheme, as in Python; libcurl's would be 1080). nullopt: it is none.
std::optional<std::string> normal_proxy(const std::string& proxy);
// Percent-encodes everything but letters, digits and -._~ and, if kept, '/'.
std::string encode_url_part(std::string_view text, bool keep_slash);

}  // namespace spanforge
