#pragma once
// An HTTP server on loopback for tests. A function answers each request; answers can be truncated.

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace spanforge::testing {

struct HttpRequest {
  std::string method, path;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

struct HttpReply {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
  std::optional<size_t> cut_after;  // bytes of the body after which the connection closes
  std::string raw;                  // if not empty, it is sent instead of all above
};

class StandInServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;
  explicit StandInServer(Handler handler);
  ~StandInServer();
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<HttpRequest> requests() const;
  size_t count(const std::string& method, const std::string& path_part) const;

 private:
  void serve();
  void answer(int connection);

  Handler handler_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<HttpRequest> requests_;
  std::thread thread_;
};

}  // namespace spanforge::testing
