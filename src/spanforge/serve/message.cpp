#include "spanforge/serve/message.h"

#include <algorithm>

#include <fmt/core.h>
#include <openssl/crypto.h>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"

namespace spanforge::serve {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// True if a comma-separated field has the word.
bool lists(const std::string* value, std::string_view word) {
  if (value == nullptr) return false;
  std::string_view rest = *value;
  while (!rest.empty()) {
    const size_t comma = rest.find(',');
    if (same_word(trimmed(rest.substr(0, comma)), word)) return true;
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return false;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// True if a request line ends with an HTTP version that is not supported.
bool is_other_version(std::string_view line) {
  const size_t space = line.rfind(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view version = line.substr(space + 1);
  return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
         version[6] == '.' && is_digit(version[7]) && version[5] != '1';
}

Refusal too_long_a_head(size_t line, const Limits& limits) {
  if (line == 0) {
    return {414, "message",
            fmt::format("the request line has more than {} bytes", limits.target_bytes), "", true};
  }
  return {431, "message", fmt::format("the header has more than {} bytes", limits.header_bytes), "",
          true};
}

std::optional<Refusal> check_line(std::string_view line, size_t number, const Limits& limits) {
  if (number == 0) {
    if (is_other_version(line)) {
      return Refusal{505, "message", "only HTTP/1.1 and HTTP/1.0 are supported", "", true};
    }
    return std::nullopt;
  }
  if (line.front() == ' ' || line.front() == '\t') {
    return Refusal::bad_message("a field's value continues on a second line (obs-fold)");
  }
  if (number > limits.fields) {
    return Refusal{431, "message", fmt::format("the header has more than {} fields", limits.fields),
                   "", true};
  }
  return std::nullopt;
}

// Checks host[:port], in Host or in an absolute target: no user, no white space, no empty name.
bool is_sound_host(std::string_view host) {
  const bool literal = host.starts_with('[');
  const size_t end = literal ? host.find(']') : std::min(host.find(':'), host.size());
  if (end == std::string_view::npos || end == 0) return false;
  const std::string_view name = host.substr(0, end);
  const std::string_view port = host.substr(literal ? end + 1 : end);
  for (const char c : name.substr(literal ? 1 : 0)) {
    const bool letter = lower(c) >= 'a' && lower(c) <= 'z';
    if (!letter && !is_digit(c) && c != '-' && c != '.' && c != '_' && !(literal && c == ':')) {
      return false;
    }
  }
  if (port.empty()) return true;
  return port.front() == ':' && port.size() <= 6 &&
         std::all_of(port.begin() + 1, port.end(), is_digit);
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// Takes host and path from the target. The query is ignored.
std::optional<Refusal> read_target(const Head& head, const Limits& limits, Framing& out) {
  std::string_view target = head.target;
  if (target.size() > limits.target_bytes) {
    return Refusal{
        414, "message",
        fmt::format("the target has {} bytes; {} are allowed", target.size(), limits.target_bytes),
        "", true};
  }
  for (const char c : target) {
    if (c <= 0x20 || c >= 0x7f || c == '#') {
      return Refusal::bad_message("the target has a character that must be escaped");
    }
  }
  if (const size_t scheme = target.find("://");
      !target.starts_with('/') && scheme != std::string_view::npos) {
    if (!same_word(target.substr(0, scheme), "http") &&
        !same_word(target.substr(0, scheme), "https")) {
      return Refusal::bad_message("the target's scheme is not http or https");
    }
    target.remove_prefix(scheme + 3);
    const size_t slash = std::min(target.find_first_of("/?"), target.size());
    out.host = target.substr(0, slash);
    if (!is_sound_host(out.host)) return Refusal::bad_message("the target names no host");
    target.remove_prefix(slash);
    if (target.empty() || target.front() == '?') {
      out.path = "/";
      return std::nullopt;
    }
  } else if (!target.starts_with('/') && target != "*") {
    return Refusal::bad_message("the target is not a path");
  }
  out.path = target.substr(0, target.find('?'));
  return std::nullopt;
}

std::optional<Refusal> read_host(const Head& head, Framing& out) {
  const size_t hosts = head.count("Host");
  if (hosts > 1 || (hosts == 0 && head.minor_version >= 1)) {
    return Refusal::bad_message(fmt::format("there {} Host fields; there must be one",
                                            hosts == 0 ? "are no" : "are several"));
  }
  if (hosts == 0) return std::nullopt;
  const std::string host(trimmed(*head.find("Host")));
  if (!is_sound_host(host)) return Refusal::bad_message("the field Host names no host");
  if (out.host.empty()) out.host = host;
  return std::nullopt;
}

// Finds where the body ends. The parser has already refused some wrong lengths.
std::optional<Refusal> read_length(const Head& head, const Limits& limits, Framing& out) {
  const size_t codings = head.count("Transfer-Encoding"), lengths = head.count("Content-Length");
  if (codings > 0) {
    if (head.minor_version < 1) {
      return Refusal::bad_message("HTTP/1.0 has no Transfer-Encoding");
    }
    if (lengths > 0)
      return Refusal::bad_message("there are both Content-Length and Transfer-Encoding");
    if (codings > 1 || !same_word(trimmed(*head.find("Transfer-Encoding")), "chunked")) {
      return Refusal{
          501,  "message", "only the transfer coding chunked is supported", "Transfer-Encoding",
          true, {}};
    }
    out.chunked = true;
    return std::nullopt;
  }
  if (lengths == 0) return std::nullopt;
  const std::string_view text = trimmed(*head.find("Content-Length"));
  if (lengths > 1 || text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) {
    return Refusal::bad_message("Content-Length must occur once, in digits");
  }
  for (const char c : text) {
    out.content_length = std::min<uint64_t>(out.content_length * 10 + (c - '0'), uint64_t{1} << 50);
  }
  if (out.content_length > limits.body_bytes) {
    return Refusal{413, "limit",
                   fmt::format("the body has {} bytes; {} are allowed", text, limits.body_bytes),
                   "", true};
  }
  return std::nullopt;
}

std::optional<Refusal> read_expectation(const Head& head, Framing& out) {
  const std::string* expect = head.find("Expect");
  if (expect == nullptr || head.minor_version < 1) return std::nullopt;
  if (head.count("Expect") > 1 || !same_word(trimmed(*expect), "100-continue")) {
    return Refusal{417,      "message", "only the expectation 100-continue is supported",
                   "Expect", true,      {}};
  }
  out.expects_continue = out.has_body();
  return std::nullopt;
}

}  // namespace

HeadScan scan_head(std::string_view bytes, const Limits& limits) {
  HeadScan scan;
  if (bytes.starts_with("\r\n")) scan.skip = 2;
  bytes.remove_prefix(scan.skip);
  size_t begin = 0;  // of the line
  const auto refuse = [&](Refusal refusal) {
    scan.refusal = std::move(refusal);
    return scan;
  };
  for (size_t line = 0;; ++line) {
    const size_t end = bytes.find_first_of(std::string_view("\r\n\0", 3), begin);
    // 40 bytes are enough for the method and version of a first line.
    const size_t known = std::min(end, bytes.size());
    if ((line == 0 && known > limits.target_bytes + 40) || known + 2 > limits.header_bytes) {
      return refuse(too_long_a_head(line, limits));
    }
    if (end == std::string_view::npos) return scan;
    if (bytes[end] != '\r') {
      return refuse(Refusal::bad_message("the header has a bare line feed or a NUL"));
    }
    if (end + 1 == bytes.size()) return scan;
    if (bytes[end + 1] != '\n') {
      return refuse(Refusal::bad_message("the header has a bare carriage return"));
    }
    if (end == begin) {
      if (line == 0)
        return refuse(Refusal::bad_message("there are two empty lines before the request"));
      scan.size = end + 2;
      return scan;
    }
    if (auto refusal = check_line(bytes.substr(begin, end - begin), line, limits)) {
      return refuse(std::move(*refusal));
    }
    begin = end + 2;
  }
}

const std::string* Head::find(std::string_view name) const {
  for (const auto& [known, value] : fields) {
    if (same_word(known, name)) return &value;
  }
  return nullptr;
}

size_t Head::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields.begin(), fields.end(), [&](const auto& field) {
    return same_word(field.first, name);
  }));
}

FramingOrRefusal check_head(const Head& head, const Limits& limits) {
  FramingOrRefusal result;
  Framing& framing = result.framing;
  const std::string* connection = head.find("Connection");
  framing.keep_alive =
      head.minor_version >= 1 ? !lists(connection, "close") : lists(connection, "keep-alive");
  result.refusal = read_length(head, limits, framing);
  if (!result.refusal) result.refusal = read_target(head, limits, framing);
  if (!result.refusal) result.refusal = read_host(head, framing);
  if (!result.refusal) result.refusal = read_expectation(head, framing);
  return result;
}

std::optional<Refusal> check_origin(const Head& head, const Framing& framing,
                                    const Access& access) {
  const std::string_view host = without_port(framing.host);
  const auto is_host = [&](const std::string& allowed) {
    return same_word(allowed, host) || same_word(allowed, framing.host);
  };
  if (!framing.host.empty() && !is_loopback_host(host) &&
      std::none_of(access.hosts.begin(), access.hosts.end(), is_host)) {
    return Refusal{
        403, "forbidden",
        fmt::format("this server does not answer for the host \"{}\"", quote_for_message(host)),
        "Host"};
  }
  const std::string* origin = head.find("Origin");
  if (origin == nullptr) return std::nullopt;
  const std::string_view sent = trimmed(*origin);
  const bool own =
      same_word(sent, "http://" + framing.host) || same_word(sent, "https://" + framing.host);
  const bool allowed = std::any_of(access.cors_origins.begin(), access.cors_origins.end(),
                                   [&](const std::string& one) { return same_word(one, sent); });
  if (head.count("Origin") == 1 && (own || allowed)) return std::nullopt;
  return Refusal{403, "forbidden", "pages of this origin may not use this server", "Origin"};
}

std::optional<Refusal> check_token(const Head& head, const Access& access) {
  if (access.token_sha256.empty()) return std::nullopt;
  const std::string* sent = head.find("Authorization");
  std::string_view value = sent == nullptr ? std::string_view() : trimmed(*sent);
  const bool bearer = value.size() > 7 && same_word(value.substr(0, 7), "Bearer ");
  if (bearer && head.count("Authorization") == 1) {
    // Compares sums, so the time that it takes reveals nothing of the token.
    const std::string sum = sha256_hex(trimmed(value.substr(7)));
    if (sum.size() == access.token_sha256.size() &&
        CRYPTO_memcmp(sum.data(), access.token_sha256.data(), sum.size()) == 0) {
      return std::nullopt;
    }
  }
  return Refusal{401,
                 "unauthorized",
                 bearer ? "the token is wrong" : "a token is needed: Authorization: Bearer TOKEN",
                 "Authorization",
                 false,
                 {{"WWW-Authenticate", "Bearer realm=\"spanforge\""}}};
}

std::optional<Refusal> check_content_type(const Head& head) {
  if (head.find("Content-Encoding") != nullptr) {
    return Refusal{415,
                   "media_type",
                   "the body must not be encoded",
                   "Content-Encoding",
                   false,
                   {{"Accept-Encoding", "identity"}}};
  }
  const std::string* type = head.find("Content-Type");
  const std::string_view value = type == nullptr ? std::string_view() : *type;
  if (head.count("Content-Type") == 1 &&
      same_word(trimmed(value.substr(0, value.find(';'))), "application/json")) {
    return std::nullopt;
  }
  return Refusal{415,
                 "media_type",
                 "the body must be of type application/json",
                 "Content-Type",
                 false,
                 {{"Accept", "application/json"}}};
}

bool is_loopback_host(std::string_view host) {
  host = without_port(host);
  if (same_word(host, "localhost") || host == "[::1]") return true;
  // An address of 127.0.0.0/8 has four decimal parts; "127.evil.example" is a name.
  if (!host.starts_with("127.")) return false;
  return std::count(host.begin(), host.end(), '.') == 3 &&
         std::all_of(host.begin(), host.end(), [](char c) { return is_digit(c) || c == '.'; });
}

std::string decode_percent(std::string_view path) {
  const auto value = [](char c) {
    if (is_digit(c)) return c - '0';
    return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' && i + 2 < path.size() && value(path[i + 1]) >= 0 &&
        value(path[i + 2]) >= 0) {
      out += static_cast<char>(value(path[i + 1]) * 16 + value(path[i + 2]));
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

}  // namespace spanforge::serve
