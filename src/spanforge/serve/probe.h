#pragma once
// Asks a running server whether it is ready: what a container's health check needs, without another
// program in the container.

#include <cstdint>
#include <string>

namespace spanforge::serve {

struct ProbeTarget {
  std::string host = "127.0.0.1";  // an address, not a name
  uint16_t port = 8080;
  bool tls = false;
  double seconds = 3;  // for each step: to connect, to send, to receive
};

// Returns if the server answers GET /health/ready with 200. Throws Error{kNetwork, its URL} with
// the reason otherwise. Does not check the certificate: it sends nothing secret and asks about this
// address, which a certificate seldom names.
void probe(const ProbeTarget& target);

}  // namespace spanforge::serve
