#pragma once
// What: sockets. Reads requests through RequestReader, asks a Service, writes its replies, and
// keeps
//   the time of all of it. One thread, the caller of run(), does it for all connections; it never
//   computes.
// Pipelined requests are answered in order, one at a time. While one is answered, the connection is
//   read on, so that a client that leaves (or only shuts its side) is seen and its work dropped.

#include <functional>
#include <memory>
#include <string>

#include "spanforge/serve/service.h"

namespace spanforge::serve {

// A finished request, for the log.
struct LogLine {
  std::string request_id, route, error_type;
  int status = 0;
  size_t bytes = 0;  // of the reply
  double total_ms = 0;
  Work work;
};
using Log = std::function<void(const LogLine&)>;

class HttpServer {
 public:
  // Opens the port. host: an IP address or "localhost"; port 0: a free one. Errors: Error{kUsage,
  // parameter "host"}, Error{kIo, where "HOST:PORT"}.
  HttpServer(const std::string& host, uint16_t port, Service& service, Log log);
  ~HttpServer();
  std::string address() const;  // "http://127.0.0.1:8080"
  void run();                   // returns when drained
  // From any thread: no new connections after `delay`; what was accepted is finished, for as long
  // as limits.drain_time allows.
  void drain(Milliseconds delay);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

bool is_loopback_address(const std::string& host);

}  // namespace spanforge::serve
