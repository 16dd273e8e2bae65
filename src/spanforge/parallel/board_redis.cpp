#include "spanforge/base/error.h"
#include "spanforge/parallel/board.h"

#ifdef SPANFORGE_HAS_REDIS

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/core.h>
#include <hiredis/hiredis.h>

#include "spanforge/io/file.h"
#include "spanforge/parallel/random_name.h"

namespace spanforge {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLife{5000};     // of an entry that nobody renews
constexpr milliseconds kRenewal{1000};  // renewed this often
constexpr milliseconds kAnswerDeadline{3000};
constexpr milliseconds kPause{50};
constexpr size_t kMostReplyBytes = size_t{16} << 20;  // the addresses of 65,536 ranks and more
constexpr size_t kMostReasonBytes = 160;
constexpr const char* kPasswordVariable = "REDISCLI_AUTH";  // redis-cli's

using Reply = std::unique_ptr<redisReply, decltype(&freeReplyObject)>;

// Calls, one at a time, each with a deadline. hiredis connects, writes its protocol and reads it;
// bytes are moved here, because hiredis's calls raise SIGPIPE, and their timeout is one of each
// single read: a server that sends a byte a second would never come to its end.
class RedisConnection {
 public:
  explicit RedisConnection(const RedisUrl& url) : server_(url.server()), context_(open(url)) {
    const std::string password = environment_or(kPasswordVariable, "");
    if (!password.empty()) call({"AUTH", password});
    if (url.database != 0) call({"SELECT", std::to_string(url.database)});
  }

  const std::string& server() const { return server_; }
  bool broken() const { return !broken_.empty(); }

  // Never a REDIS_REPLY_ERROR.
  Reply call(const std::vector<std::string>& words) {
    if (broken()) throw Error(ErrorCode::kIo, server_, broken_);
    const auto end = steady_clock::now() + kAnswerDeadline;
    send(words, end);
    Reply reply = receive(end);
    if (reply->type == REDIS_REPLY_ERROR) refuse({reply->str, reply->len}, words[0] == "AUTH");
    return reply;
  }

  // No later call succeeds either.
  [[noreturn]] void fail(const std::string& why) {
    broken_ = why;
    throw Error(ErrorCode::kIo, server_, why);
  }
  [[noreturn]] void fail_by_type(const char* command) {
    fail(fmt::format("gives {} another answer than Redis", command));
  }

 private:
  struct Close {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  using Context = std::unique_ptr<redisContext, Close>;

  Context open(const RedisUrl& url) {
    const timeval longest{kAnswerDeadline.count() / 1000, 0};
    Context context(redisConnectWithTimeout(url.host.c_str(), url.port, longest));
    if (!context) fail("there is no memory for a connection");
    if (context->err != 0) {
      fail(fmt::format("cannot be reached: {}", quote_for_message(context->errstr)));
    }
    return context;
  }

  void wait_until(short event, steady_clock::time_point end) {
    while (true) {
      const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now()).count();
      pollfd one{context_->fd, event, 0};
      const int ready = left <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left));
      if (ready > 0) return;
      if (ready == 0)
        fail(fmt::format("does not answer within {} s", kAnswerDeadline.count() / 1000));
      if (errno != EINTR) fail(fmt::format("cannot be asked: {}", std::strerror(errno)));
    }
  }

  void send(const std::vector<std::string>& words, steady_clock::time_point end) {
    std::vector<const char*> starts;
    std::vector<size_t> sizes;
    for (const std::string& word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    char* command = nullptr;
    const int size = redisFormatCommandArgv(&command, static_cast<int>(words.size()), starts.data(),
                                            sizes.data());
    if (size < 0) fail("there is no memory for a command");
    const std::unique_ptr<char, decltype(&redisFreeCommand)> owned(command, &redisFreeCommand);
    for (std::string_view rest(command, static_cast<size_t>(size)); !rest.empty();) {
      wait_until(POLLOUT, end);
      const ssize_t sent =
          ::send(context_->fd, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) rest.remove_prefix(static_cast<size_t>(sent));
      if (sent < 0 && !is_transient(errno)) lose(errno);
    }
  }

  Reply receive(steady_clock::time_point end) {
    std::array<char, 16384> bytes;
    size_t all = 0;
    while (true) {
      void* reply = nullptr;
      if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) {
        fail(fmt::format("does not speak Redis's protocol: {}",
                         quote_for_message(context_->reader->errstr)));
      }
      if (reply != nullptr) return {static_cast<redisReply*>(reply), &freeReplyObject};
      wait_until(POLLIN, end);
      const ssize_t got = ::recv(context_->fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (got == 0) fail("closed the connection");
      if (got < 0 && !is_transient(errno)) lose(errno);
      if (got <= 0) continue;
      all += static_cast<size_t>(got);
      if (all > kMostReplyBytes) fail("gives an answer without end");
      redisReaderFeed(context_->reader, bytes.data(), static_cast<size_t>(got));
    }
  }

  static bool is_transient(int error) {
    return error == EINTR || error == EAGAIN || error == EWOULDBLOCK;
  }
  [[noreturn]] void lose(int error) { fail(fmt::format("is lost: {}", std::strerror(error))); }

  [[noreturn]] void refuse(std::string_view why, bool of_password) const {
    const std::string words = quote_for_message(why, kMostReasonBytes);
    if (why.starts_with("NOAUTH")) {
      throw Error(ErrorCode::kUsage, {.where = kPasswordVariable},
                  fmt::format("must hold the password of {}, which says: {}", server_, words));
    }
    throw Error(ErrorCode::kIo, server_,
                of_password ? fmt::format("refuses the password in the environment variable {}: {}",
                                          kPasswordVariable, words)
                            : fmt::format("refuses: {}", words));
  }

  const std::string server_;
  std::string broken_;  // why no call can succeed any more
  Context context_;
};

// What must happen at once is a script. KEYS: the lock, the set of all entries, an entry (or this
// process's ones). ARGV: this process's token, "" if it does not lead; the life of a key; more.
// A script of a process that lost the lock does nothing and returns kLockLost.
constexpr std::string_view kFence =
    "if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end ";
constexpr long long kLockLost = -1;
constexpr std::string_view kPut =
    "redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[2]) "
    "redis.call('SADD', KEYS[2], KEYS[3]) "
    "redis.call('PEXPIRE', KEYS[2], ARGV[2]) "
    "return 0";
constexpr std::string_view kLiving =
    "local found = {} "
    "for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do "
    "  if string.sub(key, 1, #ARGV[3]) == ARGV[3] and redis.call('EXISTS', key) == 1 then "
    "    found[#found + 1] = key "
    "  end "
    "end "
    "return found";
constexpr std::string_view kRemoveAll =
    "for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do redis.call('DEL', key) end "
    "redis.call('DEL', KEYS[2]) "
    "return 0";
constexpr std::string_view kRemove =
    "redis.call('DEL', KEYS[3]) "
    "redis.call('SREM', KEYS[2], KEYS[3]) "
    "return 0";
constexpr std::string_view kRenew =
    "if ARGV[1] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end "
    "for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end "
    "return 0";
constexpr std::string_view kUnlock = "redis.call('DEL', KEYS[1]) return 0";

// Each entry is a key spanforge:NAME:ENTRY, which expires. The set spanforge:NAME:entries has the
// names of all these keys, so that nobody has to search the database. It never expires before them.
class RedisBoard : public Board {
 public:
  RedisBoard(const RedisUrl& url, const std::string& name)
      : connection_(url),
        prefix_(fmt::format("spanforge:{}:", name)),
        lock_key_(prefix_ + "lock"),
        set_key_(prefix_ + "entries"),
        renewer_([this] { renew_until_closed(); }) {}

  ~RedisBoard() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      closed_ = true;
    }
    changed_.notify_one();
    renewer_.join();
    try {
      if (!connection_.broken() && !held_.empty()) run(kRemove, {held_}, {});
      if (!connection_.broken() && !token_.empty()) run(kUnlock, {}, {});
    } catch (const Error&) {  // they expire
    }
  }

  std::string place() const override { return connection_.server(); }
  milliseconds lag() const override { return kLife + kPause; }
  milliseconds pause() const override { return kPause; }

  bool try_lock() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string token = random_name();
    const Reply reply = connection_.call({"SET", lock_key_, token, "NX", "PX", life()});
    if (reply->type == REDIS_REPLY_NIL) return false;
    if (reply->type != REDIS_REPLY_STATUS) connection_.fail_by_type("SET");
    token_ = token;
    return true;
  }

  void remove_all() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    run(kRemoveAll, {}, {});
    own_.clear();
    held_.clear();
  }

  void give_up() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    run(kUnlock, {}, {});
    token_.clear();
  }

  void make_folder(const std::string&) override {}

  void put(const std::string& name, std::string_view text) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string key = prefix_ + name;
    run(kPut, {key}, {std::string(text)});
    own_.push_back(key);
  }

  bool hold(const std::string& name, std::string_view text) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!held_.empty()) run(kRemove, {held_}, {});
    held_ = prefix_ + name;
    held_text_ = text;
    run(kPut, {held_}, {held_text_});
    return true;
  }

  std::optional<std::string> read(const std::string& name) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Reply reply = connection_.call({"GET", prefix_ + name});
    if (reply->type == REDIS_REPLY_NIL) return std::nullopt;
    if (reply->type != REDIS_REPLY_STRING) connection_.fail_by_type("GET");
    return std::string(reply->str, reply->len);
  }

  std::vector<std::string> living(const std::string& folder, std::string_view prefix) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::string before = prefix_ + folder + "/";
    const Reply reply = run(kLiving, {}, {before + std::string(prefix)}, REDIS_REPLY_ARRAY);
    std::vector<std::string> found;
    for (size_t i = 0; i < reply->elements; ++i) {
      const redisReply& one = *reply->element[i];
      if (one.type != REDIS_REPLY_STRING || one.len < before.size()) {
        connection_.fail_by_type("EVAL");
      }
      found.emplace_back(one.str + before.size(), one.len - before.size());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  static std::string life() { return std::to_string(kLife.count()); }

  // All under mutex_.
  Reply run(std::string_view script, const std::vector<std::string>& keys,
            const std::vector<std::string>& more, int type = REDIS_REPLY_INTEGER) {
    std::vector<std::string> words = {"EVAL", std::string(kFence) + std::string(script),
                                      std::to_string(keys.size() + 2), lock_key_, set_key_};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), {token_, life()});
    words.insert(words.end(), more.begin(), more.end());
    Reply reply = connection_.call(words);
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer == kLockLost) {
      throw Error(ErrorCode::kIo, connection_.server(),
                  fmt::format("this process did not renew the lock of its start for {} s, or the "
                              "server removed it",
                              kLife.count() / 1000));
    }
    if (reply->type != type) connection_.fail_by_type("EVAL");
    return reply;
  }

  // The held entry is put again, in case this process stood still and it expired. A failure is left
  // to this process's next call, which sees it as well.
  void renew_until_closed() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!changed_.wait_for(lock, kRenewal, [&] { return closed_; })) {
      if (connection_.broken()) return;
      try {
        run(kRenew, own_, {});
        if (!held_.empty()) run(kPut, {held_}, {held_text_});
      } catch (const Error&) {
      }
    }
  }

  std::mutex mutex_;  // of all below
  std::condition_variable changed_;
  RedisConnection connection_;
  const std::string prefix_, lock_key_, set_key_;
  std::string token_;             // "": this process does not have the lock
  std::string held_, held_text_;  // key of the entry made by hold(); "": none
  std::vector<std::string> own_;  // keys that put() made
  bool closed_ = false;
  std::thread renewer_;
};

}  // namespace

std::unique_ptr<Board> make_redis_board(const RedisUrl& url, const std::string& name) {
  return std::make_unique<RedisBoard>(url, name);
}

std::string redis_client() {
  return fmt::format("{}.{}.{}", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
}

}  // namespace spanforge

#else

namespace spanforge {

std::unique_ptr<Board> make_redis_board(const RedisUrl&, const std::string&) {
  throw Error(ErrorCode::kUsage, {.parameter = "rendezvous"},
              "this program was built without hiredis (the package libhiredis-dev), which talks to "
              "Redis: give a directory");
}
std::string redis_client() { return ""; }

}  // namespace spanforge

#endif
