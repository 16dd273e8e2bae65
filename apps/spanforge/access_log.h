#pragma once
// What: the log of `serve`: one JSON line for each request, on standard error. It has no text of a
//   client, except with --log-text: then it has the beginning of target, body and reply.
// Threads: add() is concurrent and does not wait; a thread of its own writes the lines. If nobody
//   reads them, lines are dropped, and the next line says how many.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>

#include "spanforge/serve/http_server.h"

namespace spanforge::app {

class AccessLog {
 public:
  AccessLog();
  ~AccessLog();  // writes what it can within half a second
  void add(const serve::LogLine& line);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> lines_;
  size_t left_out_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace spanforge::app
