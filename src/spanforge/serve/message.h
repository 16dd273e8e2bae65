#pragma once
// What: checks the rules for a request's head (RFC 9110, 9112) that the parser does not check. So
//   this server and every proxy before it agree where a request ends and which host it is for.
// Use: these are pure functions of bytes and fields, without socket or parser. They are called in
//   this order.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/serve/limits.h"
#include "spanforge/serve/reply.h"

namespace spanforge::serve {

// How much of a request's head has arrived.
struct HeadScan {
  size_t skip = 0;  // bytes of one empty line before it; RFC 9112 2.2 ignores it
  size_t size = 0;  // bytes of the head after them, with its empty line; 0: it is not complete
  std::optional<Refusal> refusal;
};
// bytes: all that has arrived and is not yet parsed. Refuses a bare CR or LF, a NUL, a folded line,
// a version that is not supported, and a head above the limits, as soon as it sees them.
HeadScan scan_head(std::string_view bytes, const Limits& limits);

// A parsed head.
struct Head {
  std::string method, target;
  int minor_version = 1;  // of HTTP/1
  std::vector<std::pair<std::string, std::string>> fields;

  // The value of the first field of that name; nullptr if there is none.
  const std::string* find(std::string_view name) const;
  size_t count(std::string_view name) const;
};

// What a valid head says.
struct Framing {
  bool chunked = false;
  uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string host;  // of an absolute target, else of Host; "" if HTTP/1.0 has neither
  std::string path;  // without the query
  bool has_body() const { return chunked || content_length > 0; }
};
struct FramingOrRefusal {
  Framing framing;
  std::optional<Refusal> refusal;
};
FramingOrRefusal check_head(const Head& head, const Limits& limits);

// Which requests are allowed: by host name (against DNS rebinding), by the origin of a web page,
// and by token.
struct Access {
  std::vector<std::string> hosts;         // in addition to localhost and loopback addresses
  std::vector<std::string> cors_origins;  // "https://app.example.org"
  std::string token_sha256;               // hex; "": no token is needed
};
// 403 if Host or Origin is not allowed.
std::optional<Refusal> check_origin(const Head& head, const Framing& framing, const Access& access);
// 401 unless "Authorization: Bearer TOKEN" is right. Compares in constant time.
std::optional<Refusal> check_token(const Head& head, const Access& access);
// 415 unless the body's type is JSON, without an encoding.
std::optional<Refusal> check_content_type(const Head& head);

bool is_loopback_host(std::string_view host);  // "localhost", "127.1.2.3", "[::1]", with any port
std::string decode_percent(std::string_view path);  // invalid escapes stay as they are

}  // namespace spanforge::serve
