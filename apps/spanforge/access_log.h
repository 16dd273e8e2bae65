#pragma once
// The log of `serve`: one JSON line a request, on standard error, with nothing of a client's texts,
// unless the server was asked to (--log-text): then the beginnings of target, body and reply.
// A thread writes it. A reader that does not read delays nobody: lines that find no room are left
// out, and the next line says how many.

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
