#pragma once
// Plain HTTP requests, through libcurl (http_curl.cpp) or, in a build without it, through the
// process's own client (transport.h). Does not follow redirects: the caller decides whom to ask
// next, and with which credentials. Only http and https. Internal to hub/.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/hub/hub.h"
#include "spanforge/hub/url.h"

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
  std::string failure;  // the client's text for a failed exchange; "": it is complete
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

// The proxy to ask for `url`; "": none.
std::string proxy_for(const std::string& url, const HubNetwork& network);

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
  void* curl_ = nullptr;  // libcurl's
  HubNetwork network_;
};

}  // namespace spanforge
