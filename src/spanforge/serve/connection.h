#pragma once
// What: one connection. It answers requests in order, one at a time, even if the client pipelines
//   them. Each phase has a time limit. During an answer it reads on, so it notices that the client
//   leaves or shuts its side of the connection, and cancels the request.
// Threads: everything runs on the thread of the context. The engine's threads post to it.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include <boost/asio/steady_timer.hpp>

#include "spanforge/serve/framing.h"
#include "spanforge/serve/http_server.h"
#include "spanforge/serve/stream.h"

namespace spanforge::serve {

class Connection;

// What the connections of a server share.
struct Shared {
  Service& service;
  Log log;
  bool log_text = false;
  uint64_t id_seed = 0, next_request = 0;
  size_t held_bytes = 0;  // in bodies and replies in flight
  std::set<std::shared_ptr<Connection>> connections;
  std::function<void()> closed;

  std::string new_request_id();
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::any_io_executor executor, std::unique_ptr<Stream> stream, Shared& shared);

  void start();
  void start_refused();  // answers 503, because there are too many connections
  void begin_draining();
  void close();

 private:
  enum class Phase { kIdle, kHeader, kBody, kAnswering, kWriting, kLingering };

  void set_timer(Phase phase, Milliseconds time);
  void set_phase_without_timer(Phase phase);
  void time_is_up();
  void read();
  void on_read(bool ok, size_t size);
  void watch();
  void process();
  void wait_for_bytes();
  void begin_request();
  bool take_head();
  void send_continue();
  void hold(size_t bytes);
  void answer();
  void refuse(const Refusal& refusal, bool close_after);
  void send(Answered answered, bool close_after);
  void note(const Answered& answered);
  void on_written(bool ok);

  std::unique_ptr<Stream> stream_;
  Shared& shared_;
  const Limits& limits_;
  boost::asio::steady_timer timer_;
  RequestReader reader_;
  std::array<char, 16384> piece_;
  std::string request_id_;
  std::string body_;  // only if log_text is set
  Phase phase_ = Phase::kAnswering;
  std::chrono::steady_clock::time_point since_;
  uint64_t timer_number_ = 0;
  size_t served_ = 0, held_ = 0;
  Engine::CallId call_ = 0;
  bool reading_ = false, ended_ = false, closed_ = false, began_ = false, in_body_ = false;
  bool started_ = false, keep_alive_ = true;
};

}  // namespace spanforge::serve
