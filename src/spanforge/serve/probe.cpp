#include "spanforge/serve/probe.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>

#include <fmt/core.h>
#include <openssl/ssl.h>

#include "spanforge/base/error.h"
#include "spanforge/io/descriptor.h"

namespace spanforge::serve {
namespace {

constexpr std::string_view kRequest =
    "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

struct Release {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
};

std::string reason(int error) {
  const bool late = error == EAGAIN || error == EINPROGRESS || error == ETIMEDOUT;
  return late ? "no answer in time" : std::generic_category().message(error);
}

struct Address {
  sockaddr_storage bytes = {};
  socklen_t size = 0;
};

Address address_of(const ProbeTarget& target) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.bytes);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.bytes);
  if (inet_pton(AF_INET, target.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(target.port);
    address.size = sizeof v4;
  } else if (inet_pton(AF_INET6, target.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(target.port);
    address.size = sizeof v6;
  } else {
    throw Error(ErrorCode::kUsage, {.parameter = "host"}, "is not an address, such as 127.0.0.1");
  }
  return address;
}

Descriptor connect_to(const ProbeTarget& target, const std::string& url) {
  const Address address = address_of(target);
  timeval limit = {};
  limit.tv_sec = static_cast<time_t>(target.seconds);
  limit.tv_usec =
      static_cast<suseconds_t>((target.seconds - static_cast<double>(limit.tv_sec)) * 1e6);
  Descriptor socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), url);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address.bytes), address.size) != 0) {
    throw Error(ErrorCode::kNetwork, url, reason(errno));
  }
  return socket;
}

// The first bytes of the reply, enough for its status.
std::string ask_plainly(int socket, const std::string& url) {
  char bytes[64];
  ssize_t got = send(socket, kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
  if (got >= 0) got = recv(socket, bytes, sizeof bytes, MSG_WAITALL);
  if (got < 0) throw Error(ErrorCode::kNetwork, url, reason(errno));
  return {bytes, static_cast<size_t>(got)};
}

std::string ask_under_tls(int socket, const std::string& url) {
  const std::unique_ptr<SSL_CTX, Release> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, Release> connection(context ? SSL_new(context.get()) : nullptr);
  if (!connection) throw Error(ErrorCode::kInternal, {.where = "OpenSSL"}, "could not be started");
  char bytes[64];
  size_t got = 0;
  if (SSL_set_fd(connection.get(), socket) != 1 || SSL_connect(connection.get()) != 1 ||
      SSL_write(connection.get(), kRequest.data(), static_cast<int>(kRequest.size())) <= 0 ||
      SSL_read_ex(connection.get(), bytes, sizeof bytes, &got) != 1) {
    throw Error(ErrorCode::kNetwork, url, "there is no answer over TLS");
  }
  return {bytes, got};
}

}  // namespace

void probe(const ProbeTarget& target) {
  const bool is_ipv6 = target.host.find(':') != std::string::npos;
  const std::string url =
      fmt::format("{}://{}{}{}:{}/health/ready", target.tls ? "https" : "http", is_ipv6 ? "[" : "",
                  target.host, is_ipv6 ? "]" : "", target.port);
  const Descriptor socket = connect_to(target, url);
  const std::string reply =
      target.tls ? ask_under_tls(socket.get(), url) : ask_plainly(socket.get(), url);
  if (!reply.starts_with("HTTP/1.1 ") || reply.size() < 12) {
    throw Error(ErrorCode::kNetwork, url, "the answer is not HTTP");
  }
  const std::string status = reply.substr(9, 3);
  if (status != "200") throw Error(ErrorCode::kNetwork, url, "is not ready: status " + status);
}

}  // namespace spanforge::serve
