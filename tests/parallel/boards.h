#pragma once
// Tests that run over each kind of board: parameterised by "directory" and "redis".

#include <optional>
#include <string>

#include "parallel/ranks.h"
#include "parallel/redis_server.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/board.h"

namespace spanforge::testing {

class OnEachBoard : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!in_redis()) return;
    if (!has_redis()) GTEST_SKIP() << kNoRedis;
    server.emplace();
  }
  bool in_redis() const { return GetParam() == std::string("redis"); }
  std::string rendezvous() const {
    return in_redis() ? server->url() : (directory / "meet").string();
  }
  std::unique_ptr<Board> make_board() const {
    if (!in_redis()) return make_directory_board(rendezvous(), false);
    return make_redis_board(parse_redis_url(rendezvous()), "default");
  }
  bool is_empty() const {
    if (in_redis()) return server->ask("DBSIZE") == ":0\r\n";
    return !directory_exists(rendezvous()) || list_directory(rendezvous()).empty();
  }
  // Waits for what other threads or processes do.
  template <class Condition>
  static bool comes_true(const Condition& condition, int seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }

  TemporaryDirectory directory;
  std::optional<RedisServer> server;
};

inline std::string board_name(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace spanforge::testing
