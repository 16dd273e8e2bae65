#pragma once
// What: makes requests of a connection's bytes. Boost.Beast parses; message.h checks its rules
//   before and after it. There is no socket, so tests and fuzzing feed bytes directly.
// Memory: unparsed bytes are at most limits.header_bytes and one piece. A chunk's header or a
//   trailer that is longer than limits.header_bytes is refused.
// Invariant: the requests and the refusal do not depend on how the bytes are split into pieces.
//
// Example: answers all requests in `bytes`.
//   RequestReader reader(limits);
//   reader.feed(bytes);
//   Calls reader.advance() until it returns kNeedMore or kRefused:
//     kHead: head() and framing() are known; refuse, or call accept_body()
//     kDone: take_body(), answer, next()

#include <memory>
#include <string>
#include <string_view>

#include "spanforge/serve/message.h"

namespace spanforge::serve {

class RequestReader {
 public:
  enum class State {
    kNeedMore,  // call feed()
    kHead,      // the head is valid; accept_body() goes on
    kDone,      // the request is complete; next() goes on
    kRefused,   // nothing after it can be read
  };

  explicit RequestReader(const Limits& limits);
  ~RequestReader();

  void feed(std::string_view bytes) { bytes_.append(bytes); }
  State advance();
  void accept_body();
  void next();

  const Head& head() const { return head_; }
  const Framing& framing() const { return framing_; }
  const Refusal& refusal() const { return refusal_; }
  std::string take_body();
  size_t buffered() const { return bytes_.size(); }  // fed, not yet parsed
  // True if bytes of the next request have arrived. An empty line before it does not count.
  bool has_begun() const { return body_accepted_ || head_ready_ || bytes_.size() > 2; }

 private:
  struct Parser;
  State refuse(Refusal refusal);
  State read_head();
  State read_body();

  const Limits limits_;
  std::string bytes_;
  std::unique_ptr<Parser> parser_;
  Head head_;
  Framing framing_;
  Refusal refusal_;
  size_t wire_bytes_ = 0;  // of the body, with the headers of chunks
  bool head_ready_ = false, body_accepted_ = false, refused_ = false;
};

}  // namespace spanforge::serve
