#include "hub/tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace spanforge::testing {
namespace {

void require(bool done) {
  if (!done) throw std::runtime_error("no TLS server");
}

}  // namespace

TlsServer::TlsServer(const TlsCertificate& certificate) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes after a distrustful client has hung up
  context_ = SSL_CTX_new(TLS_server_method());
  require(context_ != nullptr);
  make_certificate(certificate);
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  require(socket_ >= 0 && ::bind(socket_, generic, size) == 0 && ::listen(socket_, 16) == 0 &&
          ::getsockname(socket_, generic, &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

TlsServer::~TlsServer() {
  stopping_ = true;
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
  SSL_CTX_free(context_);
}

void TlsServer::make_certificate(const TlsCertificate& wanted) {
  constexpr long kDay = 24L * 60 * 60;
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  require(key != nullptr && certificate != nullptr);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.first_day * kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.last_day * kDay);
  X509_set_pubkey(certificate, key);
  X509_NAME* subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("stand-in"), -1, -1, 0);
  X509_set_issuer_name(certificate, subject);
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wanted.name.c_str());
  require(names != nullptr && X509_add_ext(certificate, names, -1) == 1 &&
          X509_sign(certificate, key, EVP_sha256()) > 0 &&
          SSL_CTX_use_certificate(context_, certificate) == 1 &&
          SSL_CTX_use_PrivateKey(context_, key) == 1);
  BIO* out = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(out, certificate);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  pem_.assign(bytes, static_cast<size_t>(size));
  BIO_free(out);
  X509_EXTENSION_free(names);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

void TlsServer::serve() {
  while (!stopping_) {
    const int connection = ::accept(socket_, nullptr, nullptr);
    if (connection < 0) continue;
    SSL* tls = SSL_new(context_);
    SSL_set_fd(tls, connection);
    char request[4096];
    if (SSL_accept(tls) == 1 && SSL_read(tls, request, sizeof request) > 0) {
      const std::string answer =
          "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
      SSL_write(tls, answer.data(), static_cast<int>(answer.size()));
      SSL_shutdown(tls);
    }
    SSL_free(tls);
    ::close(connection);
  }
}

}  // namespace spanforge::testing
