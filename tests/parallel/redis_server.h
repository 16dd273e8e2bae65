#pragma once
// A Redis server of a test's own, on a free port of the loopback interface. It keeps nothing.

#include <memory>
#include <string>
#include <vector>

#include "support/testing.h"

namespace spanforge::testing {

inline constexpr const char* kNoRedis =
    "no Redis server is installed (the package redis-tools has it), or built without hiredis: not "
    "tested";

bool has_redis();  // the server, and a client in the program

// A listening socket of the loopback interface. port 0: a free one, which is put there.
int listen_on_loopback(int& port);

class RedisServer {
 public:
  // more: arguments of redis-server. REQUIRES: has_redis().
  explicit RedisServer(const std::vector<std::string>& more = {});
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
  void kill();  // as by kill -9
  // What the server answers to a command without a password, in Redis's protocol; "": no
  // connection.
  std::string ask(const std::string& command) const;

 private:
  const TemporaryDirectory directory_;
  int port_ = 0;
  int process_ = -1;
};

}  // namespace spanforge::testing
