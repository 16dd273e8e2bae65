#pragma once
// What: listens on a socket and runs the connections that it accepts (connection.h), plain or under
//   TLS.
// Threads: one thread, the caller of run(), does all of it. It never computes answers.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "spanforge/serve/service.h"

namespace spanforge::serve {

// Only for a log with texts (Listening::log_text).
struct LogText {
  std::string target, request, reply;
};

// A finished request, for the log.
struct LogLine {
  std::string request_id, route, error_type;
  int status = 0;
  size_t bytes = 0;  // of the reply's body
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
  // Opens the port. Errors: Error{kUsage, parameter "host"} if the host is no address; Error{kIo,
  // where "HOST:PORT"} if the port cannot be opened; those of load_tls() (stream.h).
  HttpServer(const Listening& listening, Service& service, Log log);
  ~HttpServer();
  std::string address() const;  // "http://127.0.0.1:8080"
  void run();                   // returns when it has drained
  // Any thread may call this. After `delay` the server accepts no more connections and finishes the
  // accepted ones, for at most limits.drain_time.
  void drain(Milliseconds delay);
  // Any thread may call this. Reads certificate and key again; later connections use them. Errors:
  // those of load_tls(); then nothing changes. Does nothing without TLS.
  void reload_certificate();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Throws Error{kUsage, parameter "host"} if it is neither an IP address nor "localhost".
bool is_loopback_address(const std::string& host);

}  // namespace spanforge::serve
