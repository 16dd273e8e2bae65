#include "spanforge/serve/http_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <new>
#include <set>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fmt/core.h>
#include <linux/filter.h>

#include "spanforge/base/error.h"
#include "spanforge/serve/framing.h"

namespace spanforge::serve {
namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorInfo = boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr size_t kReadBytes = 16384;
// For the next request of an idle connection, while the server stops: a client that is just sending
// it is still answered.
constexpr Milliseconds kLastIdleTime{1000};
// For a client to read a refusal before the connection is cut: unread bytes would reset it.
constexpr Milliseconds kLingerTime{2000};

// From the request for a connection to its acceptance by the kernel: a round trip.
constexpr Milliseconds kAcceptedTime{50};

// Drops TCP segments that ask for a connection (SYN without ACK) and come to this socket. False:
// the system does not let us.
bool drop_new_connections(int listening_socket) {
  constexpr uint32_t kFlags = 13, kSyn = 0x02, kAck = 0x10;  // of a TCP header; the 13th byte
  sock_filter rules[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlags),
                         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
  const sock_fprog program{static_cast<unsigned short>(std::size(rules)), rules};
  return ::setsockopt(listening_socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ==
         0;
}

class Connection;

// What connections share. All of it is used by the thread of run() alone.
struct Shared {
  Service& service;
  Log log;
  uint64_t id_seed, next_request = 0;
  size_t body_bytes = 0;  // reserved by requests in flight
  std::set<std::shared_ptr<Connection>> connections;
  std::function<void()> closed;

  std::string new_request_id() {
    return fmt::format("{:08x}", static_cast<uint32_t>(mix_bits(id_seed + ++next_request) >> 32));
  }
  static uint64_t mix_bits(uint64_t x) {  // splitmix64's finish
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, Shared& shared)
      : socket_(std::move(socket)),
        shared_(shared),
        limits_(shared.service.limits()),
        timer_(socket_.get_executor()),
        reader_(limits_) {
    ErrorInfo ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  void start() { process(); }
  // More connections than the server has room for.
  void start_refused() {
    begin_request();
    refuse(Refusal::retry_later(503, "connections",
                                fmt::format("more than {} connections", limits_.connections), 1),
           true);
  }
  void begin_draining() {
    const bool nothing_yet = phase_ == Phase::kHeader && !reader_.has_begun();
    if (phase_ == Phase::kIdle || nothing_yet) set_timer(Phase::kIdle, kLastIdleTime);
  }
  void close() {
    if (closed_) return;
    closed_ = true;
    ++timer_number_;
    timer_.cancel();
    release_body();
    if (call_ != 0) shared_.service.cancel(std::exchange(call_, 0));
    ErrorInfo ignored;
    socket_.close(ignored);
    shared_.connections.erase(shared_from_this());
    shared_.closed();
  }

 private:
  enum class Phase { kIdle, kHeader, kBody, kAnswering, kWriting, kLingering };

  // A timer of its own for every phase; the phase before has none any more.
  void set_timer(Phase phase, Milliseconds time) {
    phase_ = phase;
    const uint64_t number = ++timer_number_;
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this(), number](ErrorInfo) {
      if (number == self->timer_number_ && !self->closed_) self->time_is_up();
    });
  }
  void set_phase_without_timer(Phase phase) {
    phase_ = phase;
    ++timer_number_;
    timer_.cancel();
  }

  void time_is_up() {
    if (phase_ == Phase::kHeader || phase_ == Phase::kBody) {
      const bool header = phase_ == Phase::kHeader;
      begin_request();
      refuse({408,
              "timeout",
              fmt::format("the {} took longer than {} ms", header ? "header" : "body",
                          (header ? limits_.header_time : limits_.body_time).count()),
              "",
              true,
              {}},
             true);
    } else {
      close();
    }
  }

  void read() {
    if (reading_ || closed_ || ended_) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(piece_),
                            [self = shared_from_this()](ErrorInfo error, size_t size) {
                              self->reading_ = false;
                              self->on_read(error, size);
                            });
  }

  void on_read(ErrorInfo error, size_t size) {
    if (closed_) return;
    if (error) {
      ended_ = true;
      // While a reply is written, the client may have shut its side only.
      if (phase_ != Phase::kWriting) close();
      return;
    }
    if (phase_ == Phase::kLingering) return read();
    reader_.feed({piece_.data(), size});
    if (phase_ == Phase::kAnswering || phase_ == Phase::kWriting) return watch();
    process();
  }

  // Reads ahead, as far as there is room, to see the client leave.
  void watch() {
    if (reader_.buffered() < kReadBytes) read();
  }

  // Goes as far as the bytes that are there allow.
  void process() {
    while (!closed_) {
      switch (reader_.advance()) {
        case RequestReader::State::kNeedMore: return wait_for_bytes();
        case RequestReader::State::kRefused: {
          begin_request();
          return refuse(reader_.refusal(), true);
        }
        case RequestReader::State::kHead:
          if (!take_head()) return;
          break;
        case RequestReader::State::kDone: return answer();
      }
    }
  }

  void wait_for_bytes() {
    if (in_body_) {
      if (phase_ != Phase::kBody) set_timer(Phase::kBody, limits_.body_time);
    } else if (reader_.has_begun() || served_ == 0) {
      // Of a new connection, the time begins with it.
      if (phase_ != Phase::kHeader) set_timer(Phase::kHeader, limits_.header_time);
    } else if (phase_ != Phase::kIdle) {
      set_timer(Phase::kIdle, shared_.service.draining() ? kLastIdleTime : limits_.idle_time);
    }
    read();
  }

  void begin_request() {
    if (began_) return;
    began_ = true;
    request_id_ = shared_.new_request_id();
    since_ = Clock::now();
  }

  // False: a refusal is being sent.
  bool take_head() {
    begin_request();
    const Framing& framing = reader_.framing();
    if (auto refusal = shared_.service.check(reader_.head(), framing)) {
      refuse(*refusal, framing.has_body());  // a body that is not read is no request
      return false;
    }
    const size_t room = framing.chunked ? limits_.body_bytes : framing.content_length;
    if (shared_.body_bytes + room > limits_.bodies_bytes) {
      refuse(Refusal::retry_later(429, "bodies",
                                  fmt::format("the bodies of all requests in flight have more than "
                                              "{} bytes",
                                              limits_.bodies_bytes),
                                  1),
             framing.has_body());
      return false;
    }
    reserved_ = room;
    shared_.body_bytes += room;
    reader_.accept_body();
    in_body_ = true;
    if (framing.expects_continue && reader_.buffered() == 0) send_continue();
    return true;
  }

  void send_continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    asio::async_write(socket_, asio::buffer(kContinue),
                      [self = shared_from_this()](ErrorInfo, size_t) {});
  }

  void release_body() { shared_.body_bytes -= std::exchange(reserved_, 0); }

  void answer() {
    set_phase_without_timer(Phase::kAnswering);
    since_ = Clock::now();  // the client's own time is not ours
    const std::string request_id = request_id_;
    const uint64_t number = served_;
    auto self = shared_from_this();
    const Engine::CallId call = shared_.service.handle(
        reader_.head(), reader_.framing(), reader_.take_body(), request_id,
        [self, number](Answered answered) {
          asio::post(self->socket_.get_executor(),
                     [self, number, answered = std::make_shared<Answered>(std::move(answered))] {
                       if (self->closed_ || number != self->served_) return;
                       self->call_ = 0;
                       self->send(std::move(*answered), false);
                     });
        });
    call_ = call;
    watch();
  }

  void refuse(const Refusal& refusal, bool close_after) {
    Answered answered;
    answered.reply = refusal_reply(refusal, request_id_);
    send(std::move(answered), close_after);
  }

  void send(Answered answered, bool close_after) {
    release_body();
    Reply& reply = answered.reply;
    for (auto& field : shared_.service.cors_fields(reader_.head())) {
      reply.fields.push_back(std::move(field));
    }
    keep_alive_ = reader_.framing().keep_alive && !reply.close && !close_after && !ended_ &&
                  served_ + 1 < limits_.requests_per_connection && !shared_.service.draining();
    const bool head_only = reader_.head().method == "HEAD";
    out_ =
        serialize_reply(reply, request_id_, http_date(std::time(nullptr)), keep_alive_, head_only);
    note(answered);
    set_timer(Phase::kWriting, limits_.write_time);
    asio::async_write(
        socket_, asio::buffer(out_),
        [self = shared_from_this()](ErrorInfo error, size_t) { self->on_written(error); });
  }

  void note(const Answered& answered) {
    LogLine line;
    line.request_id = request_id_;
    line.route = std::string(find_route(reader_.head().method, reader_.framing().path).label);
    line.error_type = answered.reply.error_type;
    line.status = answered.reply.status;
    line.bytes = answered.reply.body.size();
    const double seconds = std::chrono::duration<double>(Clock::now() - since_).count();
    line.total_ms = seconds * 1000;
    line.work = answered.work;
    Metrics& metrics = shared_.service.metrics();
    metrics.count_request(line.route.empty() ? "unknown" : line.route, line.status, seconds);
    if (!line.error_type.empty()) metrics.count_rejected(line.error_type);
    shared_.log(line);
  }

  void on_written(ErrorInfo error) {
    if (closed_) return;
    if (error || ended_) return close();
    if (!keep_alive_) {
      ErrorInfo ignored;
      socket_.shutdown(tcp::socket::shutdown_send, ignored);
      set_timer(Phase::kLingering, kLingerTime);
      return read();
    }
    ++served_;
    began_ = in_body_ = false;
    reader_.next();
    set_phase_without_timer(Phase::kAnswering);  // of none; wait_for_bytes() says which
    process();
  }

  tcp::socket socket_;
  Shared& shared_;
  const Limits& limits_;
  asio::steady_timer timer_;
  RequestReader reader_;
  std::array<char, kReadBytes> piece_;
  std::string out_, request_id_;
  Phase phase_ = Phase::kAnswering;
  Clock::time_point since_;
  uint64_t timer_number_ = 0;
  size_t served_ = 0, reserved_ = 0;
  Engine::CallId call_ = 0;
  bool reading_ = false, ended_ = false, closed_ = false, began_ = false, in_body_ = false;
  bool keep_alive_ = true;
};

}  // namespace

struct HttpServer::Impl {
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  asio::steady_timer accept_again{context}, drain_timer{context};
  Shared shared;
  bool stopping = false;

  Impl(Service& service, Log log) : shared{service, std::move(log), 0, 0, 0, {}, {}} {
    shared.id_seed =
        static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
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
    auto connection = std::make_shared<Connection>(std::move(socket), shared);
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
      if (!error) take(std::move(socket));  // whatever happened since it was accepted
      if (!acceptor.is_open()) return;
      if (!error) return accept();
      // No descriptor is left, as a rule; some will be.
      accept_again.expires_after(Milliseconds(100));
      accept_again.async_wait([this](ErrorInfo) {
        if (acceptor.is_open()) accept();
      });
    });
  }

  // Closing a socket that listens resets the connections that the kernel has accepted and we have
  // not. So the kernel is first told to drop requests for new ones (their senders repeat them, and
  // are refused then), and what was being accepted gets time to be.
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
    // Posted behind the handler of a connection that accept() got before it was cancelled.
    asio::post(context, [this] { stop_where_done(); });
    drain_timer.expires_after(shared.service.limits().drain_time);
    drain_timer.async_wait([this](ErrorInfo failed) {
      if (!failed) context.stop();
    });
  }
};

HttpServer::HttpServer(const std::string& host, uint16_t port, Service& service, Log log)
    : impl_(new Impl(service, std::move(log))) {
  ErrorInfo error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    throw Error(ErrorCode::kUsage, {.parameter = "host"},
                fmt::format("\"{}\" is no IP address", quote_for_message(host)));
  }
  const tcp::endpoint endpoint(address, port);
  tcp::acceptor& acceptor = impl_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    throw Error(ErrorCode::kIo, {.where = fmt::format("{}:{}", host, port)},
                fmt::format("cannot be listened on: {}", error.message()));
  }
}

HttpServer::~HttpServer() {
  for (const auto& connection : std::set(impl_->shared.connections)) connection->close();
}

std::string HttpServer::address() const {
  ErrorInfo ignored;
  const tcp::endpoint endpoint = impl_->acceptor.local_endpoint(ignored);
  const std::string host = endpoint.address().to_string();
  if (endpoint.address().is_v6()) return fmt::format("http://[{}]:{}", host, endpoint.port());
  return fmt::format("http://{}:{}", host, endpoint.port());
}

void HttpServer::run() {
  impl_->accept();
  while (!impl_->context.stopped()) {
    try {
      impl_->context.run();
    } catch (const std::bad_alloc&) {
      // The connection that asked for it has lost its handler, and ends with its timer.
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

bool is_loopback_address(const std::string& host) {
  ErrorInfo error;
  const auto address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  return !error && address.is_loopback();
}

}  // namespace spanforge::serve
