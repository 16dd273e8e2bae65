#include "spanforge/serve/stream.h"

#include <array>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "spanforge/base/error.h"
#include "spanforge/io/input_file.h"

namespace spanforge::serve {
namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;
using ErrorInfo = boost::system::error_code;

namespace {

void close_quietly(tcp::socket& socket) {
  ErrorInfo ignored;
  socket.close(ignored);
}

// Reads and discards. Unread bytes would make the kernel reset the connection, and the client would
// lose the reply.
class ReadAway : public std::enable_shared_from_this<ReadAway> {
 public:
  ReadAway(tcp::socket& socket, std::function<void()> done)
      : socket_(socket), done_(std::move(done)) {}
  void run() {
    socket_.async_read_some(asio::buffer(piece_),
                            [self = shared_from_this()](ErrorInfo error, size_t) {
                              error ? self->done_() : self->run();
                            });
  }

 private:
  tcp::socket& socket_;
  std::function<void()> done_;
  std::array<char, 4096> piece_;
};

void end_and_read_away(tcp::socket& socket, std::function<void()> done) {
  ErrorInfo ignored;
  socket.shutdown(tcp::socket::shutdown_send, ignored);
  std::make_shared<ReadAway>(socket, std::move(done))->run();
}

class PlainStream : public Stream {
 public:
  explicit PlainStream(tcp::socket socket) : socket_(std::move(socket)) {}
  void start(std::function<void(bool)> done) override { done(true); }
  void read(std::span<char> piece, std::function<void(bool, size_t)> done) override {
    socket_.async_read_some(
        asio::buffer(piece.data(), piece.size()),
        [done = std::move(done)](ErrorInfo error, size_t size) { done(!error, size); });
  }
  void finish(std::function<void()> done) override { end_and_read_away(socket_, std::move(done)); }

 private:
  void close_socket() override { close_quietly(socket_); }
  void write_some(std::shared_ptr<std::string> bytes, std::function<void(bool)> done) override {
    asio::async_write(socket_, asio::buffer(*bytes),
                      [bytes, done = std::move(done)](ErrorInfo error, size_t) { done(!error); });
  }

  tcp::socket socket_;
};

class TlsStream : public Stream {
 public:
  TlsStream(tcp::socket socket, TlsContext context)
      : context_(std::move(context)), stream_(std::move(socket), *context_) {}
  void start(std::function<void(bool)> done) override {
    stream_.async_handshake(ssl::stream_base::server,
                            [done = std::move(done)](ErrorInfo error) { done(!error); });
  }
  void read(std::span<char> piece, std::function<void(bool, size_t)> done) override {
    stream_.async_read_some(
        asio::buffer(piece.data(), piece.size()),
        [done = std::move(done)](ErrorInfo error, size_t size) { done(!error, size); });
  }
  void finish(std::function<void()> done) override {
    // The client may answer close_notify late, never, or with more bytes of its request.
    stream_.async_shutdown([this, done = std::move(done)](ErrorInfo) mutable {
      end_and_read_away(stream_.next_layer(), std::move(done));
    });
  }

 private:
  void close_socket() override { close_quietly(stream_.next_layer()); }
  void write_some(std::shared_ptr<std::string> bytes, std::function<void(bool)> done) override {
    asio::async_write(stream_, asio::buffer(*bytes),
                      [bytes, done = std::move(done)](ErrorInfo error, size_t) { done(!error); });
  }

  TlsContext context_;  // outlives the stream that uses it
  ssl::stream<tcp::socket> stream_;
};

}  // namespace

void Stream::write(std::string bytes, std::function<void(bool)> done) {
  waiting_.emplace_back(std::make_shared<std::string>(std::move(bytes)), std::move(done));
  if (!writing_) write_next();
}

void Stream::close() {
  waiting_.clear();  // their callbacks keep the owner alive
  close_socket();
}

void Stream::write_next() {
  writing_ = !waiting_.empty();
  if (!writing_) return;
  auto [bytes, done] = std::move(waiting_.front());
  waiting_.pop_front();
  write_some(std::move(bytes), [this, done = std::move(done)](bool ok) {
    done(ok);  // keeps the owner alive until here
    write_next();
  });
}

TlsContext load_tls(const TlsFiles& files) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  // By renegotiating, a client could waste the server's time.
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  ErrorInfo error;
  // Without this, OpenSSL asks for a password on the terminal.
  context->set_password_callback(
      [](size_t, ssl::context::password_purpose) { return std::string(); }, error);
  const std::string chain = read_input(files.certificate);
  context->use_certificate_chain(asio::buffer(chain), error);
  if (error) {
    throw Error(ErrorCode::kBadData, files.certificate, "holds no certificate chain (PEM)");
  }
  const std::string key = read_input(files.key);
  context->use_private_key(asio::buffer(key), ssl::context::pem, error);
  if (error) {
    throw Error(ErrorCode::kBadData, files.key,
                "holds no private key for the certificate (PEM, without a password)");
  }
  return context;
}

std::unique_ptr<Stream> make_stream(tcp::socket socket, TlsContext context) {
  if (context == nullptr) return std::make_unique<PlainStream>(std::move(socket));
  return std::make_unique<TlsStream>(std::move(socket), std::move(context));
}

}  // namespace spanforge::serve
