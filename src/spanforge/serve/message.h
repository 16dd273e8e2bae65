#pragma once
// What: the rules for a request's head that the parser leaves to us (RFC 9110, 9112), so that every
//   proxy before this server agrees with it about where a request ends and whom it is for.
// Pure functions over bytes and fields: no socket, no parser. framing.h calls them in this order.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/serve/limits.h"
#include "spanforge/serve/reply.h"

namespace spanforge::serve {

// How far the head of a request has come in.
struct HeadScan {
  size_t skip = 0;  // bytes of one empty line before it, which 9112 2.2 asks to ignore
  size_t size = 0;  // bytes of the head behind them, with its empty line; 0: not all there yet
  std::optional<Refusal> refusal;
};
// bytes: all that has come in and is not yet read. Refuses bare CR and LF, folded lines, a control
// character, another version's request line, and heads beyond the limits, as soon as they show.
HeadScan scan_head(std::string_view bytes, const Limits& limits);

// A head as the parser gives it.
struct Head {
  std::string method, target;
  int minor_version = 1;  // of HTTP/1
  std::vector<std::pair<std::string, std::string>> fields;

  // The only field of that name; nullptr where there is none. Of several the first.
  const std::string* find(std::string_view name) const;
  size_t count(std::string_view name) const;
};

// What follows from a sound head.
struct Framing {
  bool chunked = false;
  uint64_t content_length = 0;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string host;  // of an absolute target, else of Host; "" in HTTP/1.0 without
  std::string path;  // without the query
  bool has_body() const { return chunked || content_length > 0; }
};
struct FramingOrRefusal {
  Framing framing;
  std::optional<Refusal> refusal;
};
FramingOrRefusal check_head(const Head& head, const Limits& limits);

// Names and addresses by which the server may be asked, against DNS rebinding, and origins whose
// pages may ask it.
struct Access {
  std::vector<std::string> hosts;         // beside localhost and loopback addresses
  std::vector<std::string> cors_origins;  // "https://app.example.org"
  std::string token_sha256;               // hex; "" : no token is asked for
};
// 403 for a foreign Host or Origin.
std::optional<Refusal> check_origin(const Head& head, const Framing& framing, const Access& access);
// 401 unless "Authorization: Bearer TOKEN" is right. Compares in constant time.
std::optional<Refusal> check_token(const Head& head, const Access& access);
// 415 for a body that is not plain JSON.
std::optional<Refusal> check_content_type(const Head& head);

bool is_loopback_host(std::string_view host);  // "localhost", "127.1.2.3", "[::1]", with any port
std::string decode_percent(std::string_view path);  // invalid escapes stay as they are

}  // namespace spanforge::serve
