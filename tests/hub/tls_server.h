#pragma once
// A TLS server on loopback with a self-signed certificate. It answers each request with 404.

#include <atomic>
#include <string>
#include <thread>

#include <openssl/ssl.h>

namespace spanforge::testing {

struct TlsCertificate {
  int first_day = -1, last_day = 1;  // its validity, in days from now
  std::string name = "IP:127.0.0.1";
};

class TlsServer {
 public:
  explicit TlsServer(const TlsCertificate& certificate);
  ~TlsServer();
  std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  const std::string& pem() const { return pem_; }  // trust this to trust the server

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
