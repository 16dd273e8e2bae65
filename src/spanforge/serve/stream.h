#pragma once
// What: the bytes of one connection, plain or under TLS; connection.cpp knows no difference.
// Threads: the one that runs the socket's context. Callbacks are called once each, never from
//   within the call that they were given to (but start()'s), and also after close(): then with
//   false.
// Ownership: a callback keeps the stream's owner alive; the stream keeps none beyond its call.

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
// Errors: Error{kIo} for a file that cannot be read; Error{kBadData} naming the file that holds
// something else, or the key where it is not the certificate's.
TlsContext load_tls(const TlsFiles& files);

class Stream {
 public:
  virtual ~Stream() = default;
  // The handshake, where there is one.
  virtual void start(std::function<void(bool)> done) = 0;
  // false: the other side has ended, or broken off. REQUIRES: no other read() is under way.
  virtual void read(std::span<char> piece, std::function<void(bool, size_t)> done) = 0;
  // All of it, behind what was written before.
  void write(std::string bytes, std::function<void(bool)> done);
  // Says that nothing more will be written, and reads away what still comes, until the other side
  // ends as well.
  virtual void finish(std::function<void()> done) = 0;
  void close();  // what waits to be written is dropped

 protected:
  Stream() = default;
  virtual void write_some(std::shared_ptr<std::string> bytes, std::function<void(bool)> done) = 0;

 private:
  virtual void close_socket() = 0;
  void write_next();

  std::deque<std::pair<std::shared_ptr<std::string>, std::function<void(bool)>>> waiting_;
  bool writing_ = false;
};

// context: nullptr: plain.
std::unique_ptr<Stream> make_stream(boost::asio::ip::tcp::socket socket, TlsContext context);

}  // namespace spanforge::serve
