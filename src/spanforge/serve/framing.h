#pragma once
// What: bytes of a connection -> requests, in whatever pieces they come. Boost.Beast parses; the
//   rules of message.h stand before and behind it. No socket, so it is tested and fuzzed as it is.
// Memory: what has come in and is not parsed is at most a header or a piece fed; a chunk's header
// or
//   a trailer that goes on for longer than a header may is refused.
// Invariant: the requests and the refusal do not depend on how the bytes are cut into pieces.
//
// Example: answer all requests that `bytes` hold
//   RequestReader reader(limits);
//   reader.feed(bytes);
//   while (reader.advance() == RequestReader::State::kHead || ...) see below
//   kHead: head() and framing() are known; refuse, or accept_body() and go on
//   kDone: take_body(), answer, next()

#include <memory>
#include <string>
#include <string_view>

#include "spanforge/serve/message.h"

namespace spanforge::serve {

class RequestReader {
 public:
  enum class State {
    kNeedMore,  // feed()
    kHead,      // the head is sound; accept_body() goes on
    kDone,      // the whole request is there; next() goes on
    kRefused,   // nothing behind it can be read
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
  size_t buffered() const { return bytes_.size(); }  // fed and not parsed
  // Bytes of the next request have come in; an empty line before it is none.
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
  size_t wire_bytes_ = 0;  // of the body, with the chunks' headers
  bool head_ready_ = false, body_accepted_ = false, refused_ = false;
};

}  // namespace spanforge::serve
