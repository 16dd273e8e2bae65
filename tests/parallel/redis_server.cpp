#include "parallel/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "spanforge/parallel/connect.h"

namespace spanforge::testing {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::filesystem::path find_program(const char* name) {
  const char* all = std::getenv("PATH");
  std::istringstream folders(all == nullptr ? "" : all);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path file = std::filesystem::path(folder) / name;
    if (::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

// Debian's and Ubuntu's package redis-tools has the server under another name; its first word tells
// it what to be. The package redis-server would also start a server.
std::filesystem::path find_server() {
  const std::filesystem::path server = find_program("redis-server");
  return server.empty() ? find_program("redis-check-rdb") : server;
}

int start_process(const std::filesystem::path& program, const std::vector<std::string>& words,
                  const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int process = ::fork();
  if (process != 0) return process;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also if this test crashes
  const int file = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  ::execv(program.c_str(), arguments.data());
  ::_exit(127);
}

}  // namespace

bool has_redis() { return !rendezvous_client().empty() && !find_server().empty(); }

int listen_on_loopback(int& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd, 64), 0);
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  return fd;
}

RedisServer::RedisServer(const std::vector<std::string>& more) {
  // Another process may take the port before the server does.
  for (int attempt = 0; attempt < 5; ++attempt) {
    port_ = 0;
    ::close(listen_on_loopback(port_));
    std::vector<std::string> words = {"redis-server",
                                      "--port",
                                      std::to_string(port_),
                                      "--bind",
                                      "127.0.0.1",
                                      "--save",
                                      "",
                                      "--appendonly",
                                      "no",
                                      "--dir",
                                      directory_.path().string()};
    words.insert(words.end(), more.begin(), more.end());
    process_ = start_process(find_server(), words, (directory_ / "log").string());
    for (int i = 0; i < 1000 && ::waitpid(process_, nullptr, WNOHANG) == 0; ++i) {
      const std::string answer = ask("PING");
      if (answer.starts_with("+PONG") || answer.starts_with("-NOAUTH")) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    kill();
  }
  ADD_FAILURE() << "redis-server does not start";
}

RedisServer::~RedisServer() { kill(); }

void RedisServer::kill() {
  if (process_ > 0 && ::kill(process_, SIGKILL) == 0) ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::string RedisServer::ask(const std::string& command) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port_);
  std::string all;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    const std::string words = command + "\r\nQUIT\r\n";  // QUIT ends the answers
    ::send(fd, words.data(), words.size(), MSG_NOSIGNAL);
    std::array<char, 4096> bytes;
    for (ssize_t got = 0; (got = ::recv(fd, bytes.data(), bytes.size(), 0)) > 0;) {
      all.append(bytes.data(), static_cast<size_t>(got));
    }
  }
  ::close(fd);
  return all.substr(0, all.rfind("+OK\r\n"));
}

}  // namespace spanforge::testing
