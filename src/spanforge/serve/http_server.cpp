#include "spanforge/serve/http_server.h"

#include <sys/socket.h>

#include <chrono>
#include <iterator>
#include <new>
#include <set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/core.h>
#include <linux/filter.h>

#include "spanforge/base/error.h"
#include "spanforge/serve/connection.h"
#include "spanforge/serve/stream.h"

namespace spanforge::serve {
namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorInfo = boost::system::error_code;

namespace {

// Time for the round trip in which the kernel accepts a connection.
constexpr Milliseconds kAcceptedTime{50};

// Makes the kernel drop TCP segments to this socket that request a connection (SYN without ACK).
// Returns false if the system does not allow it.
bool drop_new_connections(int listening_socket) {
  constexpr uint32_t kFlags = 13, kSyn = 0x02, kAck = 0x10;  // byte 13 of a TCP header
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags),
                         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
  const sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
  return ::setsockopt(listening_socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ==
         0;
}

asio::ip::address address_of(const std::string& host) {
  ErrorInfo error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    throw Error(ErrorCode::kUsage, {.parameter = "host"},
                fmt::format("\"{}\" is no IP address", quote_for_message(host)));
  }
  return address;
}

}  // namespace

struct HttpServer::Impl {
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer accept_again{context}, drain_timer{context};
  const Listening listening;
  TlsContext tls;  // nullptr: plain
  Shared shared;
  bool stopping = false;

  Impl(const Listening& given, Service& service, Log log)
      : listening(given), shared{service, std::move(log), given.log_text} {
    shared.id_seed =
        static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
    if (!listening.certificate.empty()) tls = load_tls({listening.certificate, listening.key});
    shared.closed = [this] {
      count_connections();
      asio::post(context, [this] { stop_where_done(); });
    };
  }

  void count_connections() {
    shared.service.metrics().set(Metrics::Gauge::kConnections,
                                 static_cast<double>(shared.connections.size()));
  }

  void take(tcp::socket socket) {
    const bool room = shared.connections.size() < shared.service.limits().connections;
    ErrorInfo ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    auto connection = std::make_shared<Connection>(context.get_executor(),
                                                   make_stream(std::move(socket), tls), shared);
    shared.connections.insert(connection);
    count_connections();
    room ? connection->start() : connection->start_refused();
    if (stopping) connection->begin_draining();
  }
  void stop_where_done() {
    if (stopping && shared.connections.empty()) context.stop();
  }

  void accept() {
    acceptor.async_accept([this](ErrorInfo error, tcp::socket socket) {
      if (!error) take(std::move(socket));  // even if the acceptor was closed meanwhile
      if (!acceptor.is_open()) return;
      if (!error) return accept();
      // Usually no descriptor is left. Later there will be some.
      accept_again.expires_after(Milliseconds(100));
      accept_again.async_wait([this](ErrorInfo) {
        if (acceptor.is_open()) accept();
      });
    });
  }

  // Closing a listening socket resets the connections that the kernel has accepted and we have not.
  // So the kernel first drops requests for new connections. Clients repeat them, and are refused
  // then. Meanwhile the kernel can finish the connections that it is accepting.
  void begin_to_stop() {
    if (!drop_new_connections(acceptor.native_handle())) return stop_accepting();
    drain_timer.expires_after(kAcceptedTime);
    drain_timer.async_wait([this](ErrorInfo) { stop_accepting(); });
  }
  void stop_accepting() {
    ErrorInfo error;
    acceptor.non_blocking(true, error);
    while (!error) {
      tcp::socket socket(context);
      acceptor.accept(socket, error);
      if (!error) take(std::move(socket));
    }
    acceptor.close(error);
    stopping = true;
    for (const auto& connection : std::set(shared.connections)) connection->begin_draining();
    // Posted, so it runs after the handler of a connection that was accepted before the close.
    asio::post(context, [this] { stop_where_done(); });
    drain_timer.expires_after(shared.service.limits().drain_time);
    drain_timer.async_wait([this](ErrorInfo failed) {
      if (!failed) context.stop();
    });
  }
};

HttpServer::HttpServer(const Listening& listening, Service& service, Log log)
    : impl_(new Impl(listening, service, std::move(log))) {
  const tcp::endpoint endpoint(address_of(listening.host), listening.port);
  ErrorInfo error;
  tcp::acceptor& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    throw Error(ErrorCode::kIo, {.where = fmt::format("{}:{}", listening.host, listening.port)},
                fmt::format("cannot listen there: {}", error.message()));
  }
}

HttpServer::~HttpServer() {
  for (const auto& connection : std::set(impl_->shared.connections)) connection->close();
}

std::string HttpServer::address() const {
  ErrorInfo ignored;
  const tcp::endpoint endpoint = impl_->acceptor.local_endpoint(ignored);
  const std::string host = endpoint.address().to_string();
  return fmt::format("{}://{}:{}", impl_->tls ? "https" : "http",
                     endpoint.address().is_v6() ? "[" + host + "]" : host, endpoint.port());
}

void HttpServer::run() {
  impl_->accept();
  while (!impl_->context.stopped()) {
    try {
      impl_->context.run();
    } catch (const std::bad_alloc&) {
      // The connection that ran out of memory has lost its handler. Its timer closes it.
    }
  }
}

void HttpServer::drain(Milliseconds delay) {
  asio::post(impl_->context, [this, delay] {
    impl_->shared.service.begin_draining();
    impl_->drain_timer.expires_after(delay);
    impl_->drain_timer.async_wait([this](ErrorInfo) { impl_->begin_to_stop(); });
  });
}

void HttpServer::reload_certificate() {
  if (impl_->listening.certificate.empty()) return;
  TlsContext fresh = load_tls({impl_->listening.certificate, impl_->listening.key});
  asio::post(impl_->context, [this, fresh] { impl_->tls = fresh; });
}

bool is_loopback_address(const std::string& host) { return address_of(host).is_loopback(); }

}  // namespace spanforge::serve
