#pragma once
// What: the socket that listens, and the connections that it accepts (connection.h), plain or under
//   TLS. One thread, the caller of run(), does all of it; it never computes.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "spanforge/serve/service.h"

namespace spanforge::serve {

// Only for a log that is to hold texts.
struct LogText {
  std::string target, request, reply;
};

// A finished request, for the log.
struct LogLine {
  std::string request_id, route, error_type;
  int status = 0;
  size_t bytes = 0;  // of the reply
  double total_ms = 0;
  Work work;
  std::optional<LogText> text;
};
using Log = std::function<void(const LogLine&)>;

struct Listening {
  std::string host = "127.0.0.1";  // an IP address or "localhost"
  uint16_t port = 0;               // 0: a free one
  std::string certificate, key;    // PEM files; "": no TLS
  bool log_text = false;
};

class HttpServer {
 public:
  // Opens the port. Errors: Error{kUsage, parameter "host"}, Error{kIo, where "HOST:PORT"}; of the
  // files load_tls()'s (stream.h).
  HttpServer(const Listening& listening, Service& service, Log log);
  ~HttpServer();
  std::string address() const;  // "http://127.0.0.1:8080"
  void run();                   // returns when drained
  // From any thread: no new connections after `delay`; what was accepted is finished, for as long
  // as limits.drain_time allows.
  void drain(Milliseconds delay);
  // From any thread: reads certificate and key again, for connections to come. Errors:
  // load_tls()'s; then nothing changes. No effect without TLS.
  void reload_certificate();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Error{kUsage, parameter "host"} where it is neither an address nor "localhost".
bool is_loopback_address(const std::string& host);

}  // namespace spanforge::serve
