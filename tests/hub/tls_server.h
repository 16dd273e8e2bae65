#pragma once
// A TLS server on loopback with a certificate of its own making, which nobody vouches for. It
// answers each request with 404.

#include <atomic>
#include <string>
#include <thread>

#include <openssl/ssl.h>

namespace spanforge::testing {

struct TlsCertificate {
  int first_day = -1, last_day = 1;  // how long it holds, in days from now
  std::string name = "IP:127.0.0.1";
};

class TlsServer {
 public:
  explicit TlsServer(const TlsCertificate& certificate);
  ~TlsServer();
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  const std::string& pem() const { return pem_; }  // who trusts this trusts the server

 private:
  void make_certificate(const TlsCertificate& wanted);
  void serve();

  SSL_CTX* context_ = nullptr;
  std::string pem_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace spanforge::testing
