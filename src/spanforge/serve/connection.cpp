#include "spanforge/serve/connection.h"

#include <ctime>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/core.h>

namespace spanforge::serve {
namespace {

// While the server stops, an idle connection waits this long for a request that is on its way.
constexpr Milliseconds kLastIdleTime{1000};
// The client has this long to read a refusal. Closing with unread bytes would reset the connection.
constexpr Milliseconds kLingerTime{2000};

uint64_t mix_bits(uint64_t x) {  // splitmix64's finish
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace

std::string Shared::new_request_id() {
  return fmt::format("{:08x}", static_cast<uint32_t>(mix_bits(id_seed + ++next_request) >> 32));
}

Connection::Connection(boost::asio::any_io_executor executor, std::unique_ptr<Stream> stream,
                       Shared& shared)
    : stream_(std::move(stream)),
      shared_(shared),
      limits_(shared.service.limits()),
      timer_(std::move(executor)),
      reader_(limits_) {}

void Connection::start() {
  set_timer(Phase::kHeader, limits_.header_time);  // includes the handshake
  stream_->start([self = shared_from_this()](bool ok) {
    if (self->closed_) return;
    self->started_ = ok;
    ok ? self->process() : self->close();
  });
}

void Connection::start_refused() {
  set_timer(Phase::kHeader, limits_.header_time);
  stream_->start([self = shared_from_this()](bool ok) {
    if (self->closed_) return;
    if (!ok) return self->close();
    self->started_ = true;
    self->begin_request();
    self->refuse(
        Refusal::retry_later(
            503, "connections",
            fmt::format("there are more than {} connections", self->limits_.connections), 1),
        true);
  });
}

void Connection::begin_draining() {
  const bool nothing_yet = phase_ == Phase::kHeader && !reader_.has_begun();
  if (phase_ == Phase::kIdle || nothing_yet) set_timer(Phase::kIdle, kLastIdleTime);
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  ++timer_number_;
  timer_.cancel();
  hold(0);
  if (call_ != 0) shared_.service.cancel(std::exchange(call_, 0));
  stream_->close();
  shared_.connections.erase(shared_from_this());
  shared_.closed();
}

// Each phase has its own timer. Setting it cancels the timer of the phase before.
void Connection::set_timer(Phase phase, Milliseconds time) {
  phase_ = phase;
  const uint64_t number = ++timer_number_;
  timer_.expires_after(time);
  timer_.async_wait([self = shared_from_this(), number](boost::system::error_code) {
    if (number == self->timer_number_ && !self->closed_) self->time_is_up();
  });
}

void Connection::set_phase_without_timer(Phase phase) {
  phase_ = phase;
  ++timer_number_;
  timer_.cancel();
}

void Connection::time_is_up() {
  const bool reading = phase_ == Phase::kHeader || phase_ == Phase::kBody;
  if (!reading || !started_) return close();  // no reply is possible before the handshake
  const bool header = phase_ == Phase::kHeader;
  const auto time = header ? limits_.header_time : limits_.body_time;
  begin_request();
  refuse({408, "timeout",
          fmt::format("the {} took longer than {} ms", header ? "header" : "body", time.count()),
          "", true},
         true);
}

void Connection::read() {
  if (reading_ || closed_ || ended_) return;
  reading_ = true;
  stream_->read(piece_, [self = shared_from_this()](bool ok, size_t size) {
    self->reading_ = false;
    self->on_read(ok, size);
  });
}

void Connection::on_read(bool ok, size_t size) {
  if (closed_ || phase_ == Phase::kLingering) return;
  if (!ok) {
    ended_ = true;
    // During a write, the client may have shut only its own side.
    if (phase_ != Phase::kWriting) close();
    return;
  }
  reader_.feed({piece_.data(), size});
  if (phase_ == Phase::kAnswering || phase_ == Phase::kWriting) return watch();
  process();
}

// Reads ahead while there is room, to notice that the client leaves.
void Connection::watch() {
  if (reader_.buffered() < piece_.size()) read();
}

// Parses until it needs more bytes, answers, or refuses.
void Connection::process() {
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

void Connection::wait_for_bytes() {
  const bool draining = shared_.service.draining();
  if (in_body_) {
    if (phase_ != Phase::kBody) set_timer(Phase::kBody, limits_.body_time);
  } else if (reader_.has_begun() || (served_ == 0 && !draining)) {
    // For a new connection, the time begins when it opens.
    if (phase_ != Phase::kHeader) set_timer(Phase::kHeader, limits_.header_time);
  } else if (phase_ != Phase::kIdle) {
    set_timer(Phase::kIdle, draining ? kLastIdleTime : limits_.idle_time);
  }
  read();
}

void Connection::begin_request() {
  if (began_) return;
  began_ = true;
  request_id_ = shared_.new_request_id();
  since_ = std::chrono::steady_clock::now();
}

// Returns false if it sends a refusal.
bool Connection::take_head() {
  begin_request();
  const Framing& framing = reader_.framing();
  if (auto refusal = shared_.service.check(reader_.head(), framing)) {
    refuse(*refusal, framing.has_body());  // an unread body must not be parsed
    return false;
  }
  const size_t room = framing.chunked ? limits_.body_bytes : framing.content_length;
  if (shared_.held_bytes + room > limits_.bodies_bytes) {
    refuse(Refusal::retry_later(
               429, "bodies",
               fmt::format("all requests and replies in flight have {} bytes, and this body may "
                           "have {} more; {} are allowed",
                           shared_.held_bytes, room, limits_.bodies_bytes),
               1),
           framing.has_body());
    return false;
  }
  hold(room);
  reader_.accept_body();
  in_body_ = true;
  if (framing.expects_continue && reader_.buffered() == 0) send_continue();
  return true;
}

void Connection::send_continue() {
  stream_->write("HTTP/1.1 100 Continue\r\n\r\n", [self = shared_from_this()](bool) {});
}

// Replaces the number of bytes that this connection holds.
void Connection::hold(size_t bytes) {
  shared_.held_bytes += bytes;
  shared_.held_bytes -= std::exchange(held_, bytes);
}

void Connection::answer() {
  set_phase_without_timer(Phase::kAnswering);
  since_ = std::chrono::steady_clock::now();  // does not count the client's time
  const uint64_t number = served_;
  auto self = shared_from_this();
  std::string body = reader_.take_body();
  if (shared_.log_text) body_ = body;
  call_ = shared_.service.handle(
      reader_.head(), reader_.framing(), std::move(body), request_id_,
      [self, number](Answered answered) {
        boost::asio::post(
            self->timer_.get_executor(),
            [self, number, answered = std::make_shared<Answered>(std::move(answered))] {
              if (self->closed_ || number != self->served_) return;
              self->call_ = 0;
              self->send(std::move(*answered), false);
            });
      });
  watch();
}

void Connection::refuse(const Refusal& refusal, bool close_after) {
  Answered answered;
  answered.reply = refusal_reply(refusal, request_id_);
  send(std::move(answered), close_after);
}

void Connection::send(Answered answered, bool close_after) {
  Reply& reply = answered.reply;
  for (auto& field : shared_.service.cors_fields(reader_.head())) {
    reply.fields.push_back(std::move(field));
  }
  keep_alive_ = reader_.framing().keep_alive && !reply.close && !close_after && !ended_ &&
                served_ + 1 < limits_.requests_per_connection && !shared_.service.draining();
  const bool head_only = reader_.head().method == "HEAD";
  std::string bytes =
      serialize_reply(reply, request_id_, http_date(std::time(nullptr)), keep_alive_, head_only);
  hold(bytes.size());
  note(answered);
  set_timer(Phase::kWriting, limits_.write_time);
  stream_->write(std::move(bytes), [self = shared_from_this()](bool ok) { self->on_written(ok); });
}

void Connection::note(const Answered& answered) {
  LogLine line;
  line.request_id = request_id_;
  line.route = std::string(find_route(reader_.head().method, reader_.framing().path).label);
  line.error_type = answered.reply.error_type;
  line.status = answered.reply.status;
  line.bytes = answered.reply.body.size();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - since_).count();
  line.total_ms = seconds * 1000;
  line.work = answered.work;
  if (shared_.log_text) {
    line.text = LogText{reader_.head().target, std::exchange(body_, {}), answered.reply.body};
  }
  Metrics& metrics = shared_.service.metrics();
  metrics.count_request(line.route.empty() ? "unknown" : line.route, line.status, seconds);
  if (!line.error_type.empty()) metrics.count_rejected(line.error_type);
  shared_.log(line);
}

void Connection::on_written(bool ok) {
  if (closed_) return;
  hold(0);
  if (!ok || ended_) return close();
  if (!keep_alive_) {
    set_timer(Phase::kLingering, kLingerTime);
    return stream_->finish([self = shared_from_this()] { self->close(); });
  }
  ++served_;
  began_ = in_body_ = false;
  reader_.next();
  set_phase_without_timer(Phase::kAnswering);  // wait_for_bytes() sets the phase
  process();
}

}  // namespace spanforge::serve
