#include "spanforge/hub/url.h"

#include <algorithm>
#include <cctype>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

// scheme://[user@]host[:port]path[?query][#fragment]; path is empty or begins with '/'.
struct Url {
  std::string scheme, user, host, port, path, query, fragment;  // scheme and host in lower case

  std::string text() const {
    return scheme + "://" + (user.empty() ? "" : user + "@") + host +
           (port.empty() ? "" : ":" + port) + path + query + fragment;
  }
};

bool all_of_them(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || others.find(static_cast<char>(c)) != others.npos);
  });
}

bool is_host(std::string_view host) {
  if (host.starts_with('[')) {  // an IPv6 address
    return host.size() > 2 && host.ends_with(']') &&
           all_of_them(host.substr(1, host.size() - 2), ":.");
  }
  return !host.empty() && all_of_them(host, "-._");
}

bool is_port(std::string_view port) {
  const bool digits = std::ranges::all_of(port, [](char c) { return c >= '0' && c <= '9'; });
  return digits && !port.empty() && port.size() <= 5 && std::stoi(std::string(port)) <= 65535;
}

bool has_odd_characters(std::string_view text) {
  return std::ranges::any_of(text,
                             [](unsigned char c) { return c <= ' ' || c == 0x7F || c == '\\'; });
}

// Takes the end of `text` from the first of `marks` on.
std::string take_from(std::string_view& text, std::string_view marks) {
  const size_t at = std::min(text.find_first_of(marks), text.size());
  std::string taken(text.substr(at));
  text = text.substr(0, at);
  return taken;
}

// Without "." and ".." (RFC 3986, 5.2.4).
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t next = std::min(path.find('/', 1), path.size());
    const std::string_view part = path.substr(0, next);
    path.remove_prefix(next);
    const bool up = part == "/..";
    if (up) out.erase(std::min(out.rfind('/'), out.size()));
    if (!up && part != "/.") {
      out += part;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

std::optional<Url> parse_url(std::string_view text) {
  if (has_odd_characters(text)) return std::nullopt;
  const size_t colon = text.find("://");
  if (colon == text.npos || colon == 0 || !all_of_them(text.substr(0, colon), "+-."))
    return std::nullopt;
  Url url;
  url.scheme = in_lower_case(text.substr(0, colon));
  text.remove_prefix(colon + 3);
  url.fragment = take_from(text, "#");
  url.query = take_from(text, "?");
  url.path = without_dots(take_from(text, "/"));
  if (const size_t at = text.rfind('@'); at != text.npos) {
    url.user = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  const size_t port = text.rfind(':');
  if (port != text.npos && text.find(']', port) == text.npos) {
    url.port = text.substr(port + 1);
    if (!is_port(url.port)) return std::nullopt;
    text = text.substr(0, port);
  }
  if (!is_host(text)) return std::nullopt;
  url.host = in_lower_case(text);
  return url;
}

Url require_url(const std::string& text) {
  auto url = parse_url(text);
  if (!url) throw Error(ErrorCode::kNetwork, quote_for_message(text, 200), "is not a URL");
  return *std::move(url);
}

bool is_http(const Url& url) { return url.scheme == "http" || url.scheme == "https"; }

// nullopt: `location` is no URL and no path.
std::optional<Url> follow(Url url, std::string_view location) {
  const size_t name_end = std::min(location.find_first_of("/?#"), location.size());
  if (location.starts_with("//")) return parse_url(url.scheme + ":" + std::string(location));
  if (location.substr(0, name_end).find(':') != location.npos) return parse_url(location);
  if (has_odd_characters(location)) return std::nullopt;
  url.fragment = take_from(location, "#");
  const std::string query = take_from(location, "?");
  if (location.empty()) {
    if (!query.empty()) url.query = query;
    return url;
  }
  url.query = query;
  const std::string folder = url.path.substr(0, url.path.rfind('/') + 1);
  const bool whole = location.starts_with('/');
  url.path = without_dots((whole ? "" : folder.empty() ? "/" : folder) + std::string(location));
  return url;
}

}  // namespace

std::string resolve_url(const std::string& base, const std::string& location) {
  const std::optional<Url> url = follow(require_url(base), location);
  if (!url || !is_http(*url)) {
    throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(base), 200),
                fmt::format("redirects to \"{}\", which is not an http or https address",
                            quote_for_message(shown_url(location), 200)));
  }
  if (url->scheme == "http" && url_origin(base).starts_with("https:")) {
    throw Error(ErrorCode::kNetwork, quote_for_message(shown_url(base), 200),
                fmt::format("redirects to \"{}\", which is not encrypted",
                            quote_for_message(shown_url(location), 200)));
  }
  return url->text();
}

std::string url_origin(const std::string& text) {
  const Url url = require_url(text);
  const std::string preset = url.scheme == "https" ? "443" : "80";
  return url.scheme + "://" + url.host + ":" + (url.port.empty() ? preset : url.port);
}

std::string url_host(const std::string& text) { return require_url(text).host; }

bool is_plain_http_url(const std::string& text) {
  const std::optional<Url> url = parse_url(text);
  return url && is_http(*url) && url->query.empty() && url->fragment.empty();
}

std::string shown_url(const std::string& text) {
  std::string out = text.substr(0, text.find('?'));
  const size_t scheme = out.find("://");
  const size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  const size_t at = out.rfind('@', out.find('/', start));
  if (at != std::string::npos && at >= start) out.erase(start, at + 1 - start);
  return out;
}

std::optional<std::string> normal_proxy(const std::string& text) {
  std::string proxy = text.find("://") == std::string::npos ? "http://" + text : text;
  if (proxy.starts_with("socks:")) proxy.replace(0, 5, "socks5h");  // desktops write socks:
  std::optional<Url> url = parse_url(proxy);
  if (!url) return std::nullopt;
  const bool is_socks = url->scheme == "socks4" || url->scheme == "socks4a" ||
                        url->scheme == "socks5" || url->scheme == "socks5h";
  if (!is_http(*url) && !is_socks) return std::nullopt;
  if (url->port.empty() && !is_socks) url->port = url->scheme == "http" ? "80" : "443";
  url->path.clear();
  return url->text();
}

std::string in_lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c < 0x80 ? std::tolower(c) : c);
  });
  return out;
}

std::string encode_url_part(std::string_view text, bool keep_slash) {
  std::string out;
  for (unsigned char c : text) {
    const bool plain = std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '~' ||
                       (c == '/' && keep_slash);
    out += plain ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

}  // namespace spanforge
