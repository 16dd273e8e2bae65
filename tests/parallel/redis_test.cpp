// What only a Redis board has: servers that refuse, are lost or answer nonsense; keys that expire.

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>

#include "parallel/boards.h"
#include "spanforge/parallel/meeting.h"

namespace spanforge {
namespace {

using std::chrono::milliseconds;
using testing::RedisServer;

TEST(RedisUrl, IsReadStrictly) {
  struct Row {
    const char* text;
    const char* server;
    int database;
    const char* name;
  };
  for (const Row& row :
       {Row{"redis://h", "redis://h:6379", 0, ""}, Row{"redis://h:1", "redis://h:1", 0, ""},
        Row{"redis://a-b.c_d:65535/15", "redis://a-b.c_d:65535", 15, ""},
        Row{"redis://127.0.0.1/2?name=my.job-1_x", "redis://127.0.0.1:6379", 2, "my.job-1_x"},
        Row{"redis://h?name=x", "redis://h:6379", 0, "x"},
        Row{"redis://[::1]", "redis://[::1]:6379", 0, ""},
        Row{"redis://[fe80::1]:7/1", "redis://[fe80::1]:7", 1, ""}}) {
    SCOPED_TRACE(row.text);
    const RedisUrl url = parse_redis_url(row.text);
    EXPECT_EQ(url.server(), row.server);
    EXPECT_EQ(url.database, row.database);
    EXPECT_EQ(url.name, row.name);
  }
  for (const char* text : {"redis://",
                           "redis://:6379",
                           "redis://h:",
                           "redis://h:0",
                           "redis://h:65536",
                           "redis://h:-1",
                           "redis://h:+1",
                           "redis://h:6379x",
                           "redis://h: 1",
                           "redis://h/",
                           "redis://h/x",
                           "redis://h/-1",
                           "redis://h/1/2",
                           "redis://h/99999999999",
                           "redis://h?",
                           "redis://h?name=",
                           "redis://h?name=a b",
                           "redis://h?name=a:b",
                           "redis://h?name=a&x=1",
                           "redis://h?x=1",
                           "redis://h h",
                           "redis://h#x",
                           "redis://[::1",
                           "redis://[::1]x",
                           "redis://[]",
                           "redis://::1",
                           "rediss://h",
                           "http://h",
                           "tcp://h:1"}) {
    SCOPED_TRACE(text);
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] { require_rendezvous(text); });
    EXPECT_EQ(error.parameter(), "rendezvous");
  }
  EXPECT_THROW(parse_redis_url("redis://h?name=" + std::string(65, 'x')), Error);
}

TEST(RedisUrl, NeverHoldsAPasswordNorDoesItsError) {
  for (const char* text : {"redis://user:geheim@h", "redis://:geheim@h:6379/0", "redis://geheim@h",
                           "redis://h/0?name=geheim@x", "rediss://user:geheim@h"}) {
    SCOPED_TRACE(text);
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] { require_rendezvous(text); });
    EXPECT_EQ(std::string(error.what()).find("geheim"), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find("REDISCLI_AUTH"), std::string::npos) << error.what();
  }
}

TEST(RedisUrl, DirectoriesAreNoUrls) {
  for (const char* text : {"meet", "/shared/meet", "a:b", "redis:/x", "./redis://h", "", "://x"}) {
    EXPECT_NO_THROW(require_rendezvous(text)) << text;
  }
}

TEST(RedisUrl, WithoutHiredisOneLineNamesThePackage) {
  if (!rendezvous_client().empty()) GTEST_SKIP() << "built with hiredis";
  const Error error = testing::expect_error(
      ErrorCode::kUsage, [&] { make_redis_board(parse_redis_url("redis://h"), "x"); });
  EXPECT_EQ(error.parameter(), "rendezvous");
  EXPECT_NE(error.reason().find("libhiredis-dev"), std::string::npos);
}

// Sets the variable with the password, or removes it.
class Password {
 public:
  explicit Password(const char* text) {
    if (text != nullptr) {
      ::setenv("REDISCLI_AUTH", text, 1);
    } else {
      ::unsetenv("REDISCLI_AUTH");
    }
  }
  ~Password() { ::unsetenv("REDISCLI_AUTH"); }
};

class Redis : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::has_redis()) GTEST_SKIP() << testing::kNoRedis;
    ::unsetenv("REDISCLI_AUTH");
  }
  static std::unique_ptr<Board> board_at(const std::string& url, const std::string& name = "n") {
    return make_redis_board(parse_redis_url(url), name);
  }
  static std::unique_ptr<Meeting> meet(const std::string& url, int rank, int size) {
    return std::make_unique<Meeting>(
        Launch{.rank = rank, .size = size}, board_at(url),
        MeetingOptions{.interface = "lo", .deadline = std::chrono::seconds(20)});
  }
  static bool comes_true(const std::function<bool()>& condition, int seconds = 20) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return true;
  }
};

TEST_F(Redis, AsksForThePasswordInTheEnvironment) {
  const RedisServer server({"--requirepass", "sesame"});
  {
    const Password none(nullptr);
    const Error error =
        testing::expect_error(ErrorCode::kUsage, [&] { board_at(server.url())->try_lock(); });
    EXPECT_EQ(error.where(), "REDISCLI_AUTH");
    EXPECT_NE(error.reason().find(server.url()), std::string::npos) << error.what();
    EXPECT_NE(error.reason().find("NOAUTH"), std::string::npos) << error.what();
  }
  {
    const Password wrong("open");
    const Error error =
        testing::expect_error(ErrorCode::kIo, [&] { board_at(server.url())->try_lock(); });
    EXPECT_EQ(error.file(), server.url());
    EXPECT_NE(error.reason().find("REDISCLI_AUTH: WRONGPASS"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find("open"), std::string::npos) << error.what();
  }
  const Password right("sesame");
  EXPECT_TRUE(board_at(server.url())->try_lock());
}

TEST_F(Redis, SaysWhyAServerCannotBeReached) {
  int port = 0;
  ::close(testing::listen_on_loopback(port));
  const std::string url = "redis://127.0.0.1:" + std::to_string(port);
  Error error = testing::expect_error(ErrorCode::kIo, [&] { board_at(url); });
  EXPECT_EQ(error.file(), url);
  EXPECT_NE(error.reason().find("refused"), std::string::npos) << error.what();
  error = testing::expect_error(ErrorCode::kIo, [&] { board_at("redis://nowhere.invalid"); });
  EXPECT_EQ(error.file(), "redis://nowhere.invalid:6379");
}

TEST_F(Redis, SaysWhatTheServerRefuses) {
  const RedisServer server;
  const Error error =
      testing::expect_error(ErrorCode::kIo, [&] { board_at(server.url() + "/99"); });
  EXPECT_EQ(error.file(), server.url());
  EXPECT_NE(error.reason().find("out of range"), std::string::npos) << error.what();
  server.ask("LPUSH spanforge:n:start-0 x");
  testing::expect_error(ErrorCode::kIo, [&] { board_at(server.url())->read("start-0"); });
}

TEST_F(Redis, NoticesThatTheServerIsKilledWhileRanksMeet) {
  RedisServer server;
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  for (const int rank : {0, 1}) {
    threads.emplace_back([&, rank] {
      const Error error =
          testing::expect_error(ErrorCode::kIo, [&] { meet(server.url(), rank, 3); });
      EXPECT_EQ(error.file(), server.url());
      ++lost;
    });
  }
  EXPECT_TRUE(comes_true([&] { return server.ask("DBSIZE") == ":5\r\n"; }));
  const auto begin = std::chrono::steady_clock::now();
  server.kill();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(lost, 2);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
}

// A server that gives every connection this answer, and then nothing or the end.
class Nonsense {
 public:
  Nonsense(std::string answer, bool closes)
      : answer_(std::move(answer)), closes_(closes), fd_(testing::listen_on_loopback(port_)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~Nonsense() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve() {
    std::vector<int> open;
    for (int one = 0; (one = ::accept(fd_, nullptr, nullptr)) >= 0;) {
      ::send(one, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      if (closes_) ::shutdown(one, SHUT_WR);
      open.push_back(one);
    }
    for (const int one : open) ::close(one);
  }

  const std::string answer_;
  const bool closes_;
  int port_ = 0;
  const int fd_;
  std::thread thread_;
};

TEST_F(Redis, RefusesNonsenseInOneLine) {
  for (const auto& [answer, closes] : std::vector<std::pair<std::string, bool>>{
           {"", true},
           {"", false},
           {"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", false},
           {std::string("\0\xff\x1b[31m\r\n", 8), false},
           {"$5\r\nab", true},
           {"$5\r\nab", false},
           {"$-7\r\n", false},
           {"$999999999999999999999\r\n", false},
           {":5\r\n", false},
           {"+OK\r\n", false},
           {"*2\r\n:1\r\n:2\r\n", false},
           {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", false},
           {"-NOPERM this user has no permissions\x1b[31m\r\n", false},
           {"-MOVED 1234 10.0.0.1:6379\r\n", false},
           {"-LOADING " + std::string(5000, 'x') + "\r\n", false}}) {
    SCOPED_TRACE(answer.substr(0, 40));
    const Nonsense server(answer, closes);
    const auto begin = std::chrono::steady_clock::now();
    const Error error =
        testing::expect_error(ErrorCode::kIo, [&] { board_at(server.url())->read("start-0"); });
    EXPECT_EQ(error.file(), server.url());
    const std::string line = error.what();
    EXPECT_EQ(line.find_first_of(std::string("\n\r\x1b\0", 4)), std::string::npos) << line;
    EXPECT_LT(line.size(), 300u) << line;
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
  }
  const Nonsense rows("*1\r\n:3\r\n", false);
  testing::expect_error(ErrorCode::kIo, [&] { board_at(rows.url())->living("f", "rank-"); });
  const Nonsense endless("$400000000\r\n" + std::string(20'000'000, 'x'), false);
  const Error error =
      testing::expect_error(ErrorCode::kIo, [&] { board_at(endless.url())->read("start-0"); });
  // A slow machine does not come to the end of what is read at most.
  EXPECT_TRUE(error.reason().find("without end") != std::string::npos ||
              error.reason().find("within 3 s") != std::string::npos)
      << error.what();
}

TEST_F(Redis, EveryKeyExpiresIfItsProcessIsKilled) {
  const RedisServer server;
  const pid_t process = ::fork();
  if (process == 0) {
    const auto board = board_at(server.url());
    if (!board->try_lock()) ::_exit(1);
    board->put("start-0", "f");
    board->hold("f/rank-0-x", "host");
    ::pause();
  }
  // The lock, the set of names, and two entries. They stay as long as the process lives.
  ASSERT_TRUE(comes_true([&] { return server.ask("DBSIZE") == ":4\r\n"; }));
  std::this_thread::sleep_for(milliseconds(6500));
  EXPECT_EQ(server.ask("DBSIZE"), ":4\r\n");
  EXPECT_FALSE(board_at(server.url())->try_lock());
  for (const char* key : {"lock", "entries", "start-0", "f/rank-0-x"}) {
    const std::string life = server.ask(std::string("PTTL spanforge:n:") + key);
    EXPECT_GT(std::atoi(life.c_str() + 1), 0) << key;
    EXPECT_LE(std::atoi(life.c_str() + 1), 5000) << key;
  }
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
  EXPECT_TRUE(comes_true([&] { return server.ask("DBSIZE") == ":0\r\n"; }, 6));
}

TEST_F(Redis, WaitsForALockThatNobodyRenews) {
  const RedisServer server;
  server.ask("SET spanforge:n:lock somebody PX 1500");
  const auto begin = std::chrono::steady_clock::now();
  std::thread one([&] { meet(server.url(), 1, 2); });
  const auto zero = meet(server.url(), 0, 2);
  one.join();
  EXPECT_GT(std::chrono::steady_clock::now() - begin, milliseconds(1000));
}

// A process that stood still may have lost the lock to another start, which it must not disturb.
TEST_F(Redis, AProcessThatLostTheLockChangesNothing) {
  const RedisServer server;
  auto first = board_at(server.url());
  ASSERT_TRUE(first->try_lock());
  first->put("start-0", "old");
  server.ask("DEL spanforge:n:lock");
  const auto second = board_at(server.url());
  ASSERT_TRUE(second->try_lock());
  second->remove_all();
  second->put("start-0", "new");
  for (const auto& change : std::vector<std::function<void()>>{
           [&] { first->put("start-0", "old"); }, [&] { first->hold("f/rank-0-x", ""); },
           [&] { first->remove_all(); }, [&] { first->give_up(); },
           [&] { first->living("f", "rank-"); }}) {
    const Error error = testing::expect_error(ErrorCode::kIo, change);
    EXPECT_NE(error.reason().find("lock"), std::string::npos) << error.what();
  }
  first.reset();
  EXPECT_EQ(second->read("start-0"), "new");
  EXPECT_FALSE(board_at(server.url())->try_lock());
}

TEST_F(Redis, AnEntryComesBackAfterItsProcessStoodStill) {
  const RedisServer server;
  const auto board = board_at(server.url());
  board->hold("f/rank-1-x", "host");
  server.ask("FLUSHALL");
  EXPECT_TRUE(comes_true([&] { return board->living("f", "rank-").size() == 1; }));
}

TEST_F(Redis, NamesAndDatabasesAreApart) {
  const RedisServer server;
  const auto one = board_at(server.url(), "one"), two = board_at(server.url(), "two"),
             third = board_at(server.url() + "/3", "one");
  for (const auto& board : {&one, &two, &third}) EXPECT_TRUE((*board)->try_lock());
  one->put("start-0", "1");
  two->put("start-0", "2");
  two->remove_all();
  EXPECT_EQ(one->read("start-0"), "1");
  EXPECT_EQ(third->read("start-0"), std::nullopt);
}

TEST_F(Redis, StartsOfOtherNamesMeetAtTheSameTime) {
  if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  const RedisServer server;
  std::atomic<int> met{0};
  std::vector<std::thread> threads;
  const auto come = [&](int rank, const std::string& start, const std::string& query) {
    threads.emplace_back([&, rank, start, query] {
      connect_group(
          {.rank = rank, .size = 2, .start = start},
          {.rendezvous = server.url() + query, .meeting_deadline = std::chrono::seconds(20)});
      ++met;
    });
  };
  for (const int rank : {0, 1}) {
    come(rank, "", "");
    come(rank, "", "?name=x");
    come(rank, "MASTER_PORT=1;", "");
    come(rank, "MASTER_PORT=2;", "");
    // A given name counts alone.
    come(rank, rank == 0 ? "PMI_PORT=a;" : "PMI_PORT=b;", "?name=y");
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(met, 10);
  EXPECT_EQ(server.ask("DBSIZE"), ":0\r\n");
}

}  // namespace
}  // namespace spanforge
