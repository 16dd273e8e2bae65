#pragma once
// What: reads and writes the bytes of one connection, plain or under TLS. Its user sees no
//   difference.
// Threads: everything runs on the thread of the socket's context.
// Callbacks: an operation calls its callback once, after it has returned; start() may call it
//   earlier. close() makes running operations call it with false, and drops waiting writes without
//   a call.
// Ownership: a callback keeps the stream's owner alive. The stream destroys it after calling it.

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

namespace boost::asio::ssl {
class context;
}

namespace spanforge::serve {

// Certificate chain and key as PEM files, for TLS 1.2 and 1.3.
struct TlsFiles {
  std::string certificate, key;
};
using TlsContext = std::shared_ptr<boost::asio::ssl::context>;
// Errors: Error{kIo, file} if a file cannot be read; Error{kBadData, file} if it is malformed, or
//   if the key does not belong to the certificate.
TlsContext load_tls(const TlsFiles& files);

class Stream {
 public:
  virtual ~Stream() = default;
  // Does the TLS handshake, if there is one.
  virtual void start(std::function<void(bool)> done) = 0;
  // false: the other side has ended or the connection is lost. REQUIRES: no other read() runs.
  virtual void read(std::span<char> piece, std::function<void(bool, size_t)> done) = 0;
  // Writes all bytes, after those of earlier calls.
  void write(std::string bytes, std::function<void(bool)> done);
  // Ends this side, then reads and discards until the other side ends, too.
  virtual void finish(std::function<void()> done) = 0;
  void close();  // drops waiting writes

 protected:
  Stream() = default;
  virtual void write_some(std::shared_ptr<std::string> bytes, std::function<void(bool)> done) = 0;

 private:
  virtual void close_socket() = 0;
  void write_next();

  std::deque<std::pair<std::shared_ptr<std::string>, std::function<void(bool)>>> waiting_;
  bool writing_ = false;
};

// context: nullptr if there is no TLS.
std::unique_ptr<Stream> make_stream(boost::asio::ip::tcp::socket socket, TlsContext context);

}  // namespace spanforge::serve
