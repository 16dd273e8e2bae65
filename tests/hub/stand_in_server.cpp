#include "hub/stand_in_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <sstream>
#include <stdexcept>

namespace spanforge::testing {
namespace {

void send_all(int connection, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace

StandInServer::StandInServer(Handler handler) : handler_(std::move(handler)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (socket_ < 0 || ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(socket_, 16) != 0 ||
      ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port on loopback");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

StandInServer::~StandInServer() {
  stopping_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
}

std::vector<HttpRequest> StandInServer::requests() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return requests_;
}

size_t StandInServer::count(const std::string& method, const std::string& path_part) const {
  const auto all = requests();
  return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const HttpRequest& r) {
    return r.method == method && r.path.find(path_part) != std::string::npos;
  }));
}

void StandInServer::serve() {
  while (!stopping_) {
    const int connection = ::accept(socket_, nullptr, nullptr);
    if (connection < 0) continue;
    answer(connection);
    ::close(connection);
  }
}

void StandInServer::answer(int connection) {
  std::string text;
  char buffer[4096];
  while (text.find("\r\n\r\n") == std::string::npos) {
    const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
    if (n <= 0) return;
    text.append(buffer, static_cast<size_t>(n));
    if (std::isalpha(static_cast<unsigned char>(text[0])) == 0) {  // for example TLS
      return send_all(connection, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    }
  }
  HttpRequest request;
  std::istringstream lines(text);
  lines >> request.method >> request.path;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line != "\r") {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' '));
    while (!value.empty() && value.back() == '\r') value.pop_back();
    request.headers[name] = value;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request);
  }
  HttpReply reply = handler_(request);
  if (!reply.raw.empty()) return send_all(connection, reply.raw);
  reply.headers.try_emplace("Content-Length", std::to_string(reply.body.size()));
  std::string head =
      "HTTP/1.1 " + std::to_string(reply.status) + " Answer\r\nConnection: close\r\n";
  for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
  send_all(connection, head + "\r\n");
  if (request.method == "HEAD") return;
  send_all(connection, std::string_view(reply.body).substr(0, reply.cut_after.value_or(SIZE_MAX)));
}

}  // namespace spanforge::testing
