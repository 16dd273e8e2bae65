#pragma once
// URLs of the hub and of proxies. Strict, so that no client reads one differently: a URL that needs
// guessing (blanks, control characters, a backslash, an odd host or port) is none. Internal to
// hub/.

#include <optional>
#include <string>
#include <string_view>

namespace spanforge {

// The URL of `location`, which may be relative to `base`. Throws Error{kNetwork} unless it is an
// http or https URL, and https if base is.
std::string resolve_url(const std::string& base, const std::string& location);
// scheme://host:port, for comparisons.
std::string url_origin(const std::string& url);
std::string url_host(const std::string& url);
// Whether it is an http or https URL with a host, and without query and fragment.
bool is_plain_http_url(const std::string& url);
// For messages: without name and password, and without a query (which may be a signature).
std::string shown_url(const std::string& url);
// A proxy with its scheme (the default is http; socks becomes socks5h) and port (the default is the
// scheme's, as in Python, not libcurl's 1080). nullopt: it is not a proxy.
std::optional<std::string> normal_proxy(const std::string& proxy);
// ASCII letters alone change.
std::string in_lower_case(std::string_view text);
// Percent-encodes all characters except letters, digits, -._~ and, if kept, '/'.
std::string encode_url_part(std::string_view text, bool keep_slash);

}  // namespace spanforge
